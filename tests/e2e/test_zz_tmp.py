import subprocess
import pytest
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_x(make_pair, mode, tmp_path):
    subprocess.run(["openssl","req","-x509","-newkey","rsa:2048","-nodes","-keyout",tmp_path/"k.pem","-out",tmp_path/"ca.pem","-days","9","-subj","/CN=other"],check=True,capture_output=True)
    pair = make_pair("mysql", "mysql", ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY)")
    pair.prepare()
    for side,start in (("capture",pair.start_capture),("apply",pair.start_apply)):
        getattr(pair, side+"_settings")["database_settings"]={"sslmode": mode, "sslrootcert": str(tmp_path/"ca.pem")}
        start(wait=False)
        print(mode, side)
        try:
            getattr(pair,side).wait_state("streaming","applying",timeout=6); print("CONNECTED")
        except Exception as e: print(getattr(pair,side).log_text()[-600:])
