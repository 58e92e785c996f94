"""A call centre's work on the customer database: many small transactions, some large, some rolled back.

Each worker is a thread with its own connection and its own range of ids, so that workers meet only on billing accounts.
The journal's lines (workers.py):
    {"intent": XID}                          the transaction is about to commit
    {"committed": XID, "rows": {table: n}}   the server said that it has committed; n counts row events (a moved key counts two)
    {"rolled_back": XID}
An intent without an answer is a transaction of which nobody knows; the checker accepts it either way.
"""
import argparse
import datetime
import decimal
import json
import sys
import uuid

import psycopg

from telecom import workers

WORDS = ("line broken roaming invoice slow router SIM number portability contract price café señal Überweisung 通話 "
         "prepaid upgrade complaint").split()


class Worker(workers.Worker):
    """One call-centre agent."""

    vocabulary = WORDS
    recoverable = (psycopg.OperationalError,)

    def __init__(self, number, conninfo, journal, stop, pace, seed):
        super().__init__(f"worker-{number}", f"{seed}/{number}", journal, stop, pace)
        self.number, self.conninfo = number, conninfo
        self.next_id = (seed * 10 + number) * 10**6  # a second run on the same database needs another seed
        self.customers = {}  # id -> [accounts, products, contacts, tickets {no: open}]

    # ---- one transaction ----
    def count(self, table, n=1):
        self.rows[table] = self.rows.get(table, 0) + n

    def transaction(self, conn, work):
        """Runs work(cursor), which returns what to remember if it commits; keeps the journal."""
        self.rows = {}
        remember = None
        with conn.cursor() as cursor:
            cursor.execute("BEGIN")
            remember = work(cursor)
            xid = int(cursor.execute("SELECT pg_current_xact_id()::text").fetchone()[0])
            if remember is None:
                cursor.execute("ROLLBACK")
                self.journal.write(rolled_back=xid)
                return
            self.journal.write(intent=xid)
            cursor.execute("COMMIT")
            self.journal.write(committed=xid, rows=self.rows)
        remember()

    def connect(self):
        return psycopg.connect(self.conninfo, autocommit=True, connect_timeout=5)

    def recover(self, error):
        if isinstance(error, (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)):
            self.conn.execute("ROLLBACK")
            return
        # The server went away; what was under way is unknown, and so are these customers' details.
        if self.conn is not None:
            self.conn.close()
        self.conn, self.customers = None, {}
        self.stopping.wait(0.2)

    # ---- what a call centre does ----
    def choose(self):
        if len(self.customers) < 5:
            return self.new_customer
        works = [(self.new_customer, 12), (self.interaction, 24), (self.open_ticket, 14), (self.close_ticket, 12),
                 (self.transfer, 20), (self.change_product, 8), (self.change_contact, 6), (self.change_customer, 6),
                 (self.remove_customer, 2 if len(self.customers) > 20 else 0), (self.move_contact, 2),
                 (self.think_again, 3), (self.price_round, 1), (self.audit_clean_up, 1)]
        return self.random.choices([w for w, _ in works], [n for _, n in works])[0]

    def some_customer(self):
        return self.random.choice(list(self.customers))

    def audit(self, cursor, action, customer):
        cursor.execute("INSERT INTO audit_trail VALUES (clock_timestamp(), %s, %s, %s)",
                       (self.name, action, customer))
        self.count("public.audit_trail")

    def new_customer(self, cursor):
        r, customer, account = self.random, self.new_number(), self.new_number()
        cursor.execute(
            "INSERT INTO customer VALUES (%s, %s, 'validated', NULL, %s, %s, %s, %s, %s, %s, 0, %s, clock_timestamp(), now())",
            (customer, self.words(2), datetime.date(1920, 1, 1) + datetime.timedelta(days=r.randrange(38000)),
             r.random() < 0.05, uuid.UUID(int=r.getrandbits(128)), decimal.Decimal(r.randrange(10**7)) / 100,
             r.choice([None, r.randrange(-100, 1000)]), r.random(),
             json.dumps({"segment": r.choice("ABC"), "note": self.words(3)})))
        self.count("public.customer")
        cursor.execute("INSERT INTO billing_account VALUES (%s, %s, %s, 'active', 0, %s, %s, clock_timestamp())",
                       (account, customer, f"A{account:011d}",
                        r.choice([None, decimal.Decimal(r.getrandbits(80)).scaleb(-r.randrange(30))]),
                        r.randrange(1, 29)))
        self.count("public.billing_account")
        contacts, products = [], []
        for _ in range(r.randrange(1, 4)):
            contacts.append(self.insert_contact(cursor, customer, self.new_number()))
        for _ in range(r.randrange(1, 3)):
            products.append(self.insert_product(cursor, customer, account))
        self.audit(cursor, "createCustomer", customer)

        def remember():
            self.customers[customer] = [[account], products, contacts, {}]
        return remember

    def insert_contact(self, cursor, customer, contact):
        r = self.random
        cursor.execute("INSERT INTO contact_medium VALUES (%s, %s, %s, %s, %s, %s, %s)",
                       (contact, customer, r.choice(["email", "phone", "postalAddress"]), self.words(3),
                        r.random() < 0.5, r.choice([None, datetime.time(r.randrange(24), 30, 5, r.randrange(10**6))]),
                        r.choice([None, [], [self.words(1), None, 'quo"te, {b}race \\']])))
        self.count("public.contact_medium")
        return contact

    def insert_product(self, cursor, customer, account):
        r, product = self.random, uuid.UUID(int=self.random.getrandbits(128))
        cursor.execute("INSERT INTO product VALUES (%s, %s, %s, %s, 'active', current_date, NULL, %s, %s, %s)",
                       (product, customer, account, self.words(2), decimal.Decimal(r.randrange(100, 9900)) / 100,
                        r.choice([None, r.random() * 10**r.randrange(-300, 300), float("nan")]),
                        '{"speed":  "%d Mbit"}' % r.randrange(1, 1000)))
        self.count("public.product")
        return product

    def interaction(self, cursor):
        r, customer = self.random, self.some_customer()
        # One in ten transcripts is long enough to be stored out of line (TOAST).
        transcript = "".join(self.words(4) + str(r.random()) for _ in range(400)) if r.random() < 0.1 else self.words(12)
        cursor.execute("INSERT INTO party_interaction VALUES (%s, %s, %s, %s, %s, clock_timestamp(), %s, %s, %s)",
                       (self.new_number(), customer, r.choice(["inbound", "outbound"]), r.choice(["phone", "chat"]),
                        r.choice([None, self.words(2)]), transcript, r.randbytes(r.randrange(64)),
                        [r.randrange(100), None, -1]))
        self.count("public.party_interaction")
        cursor.execute("UPDATE customer SET last_modified = now() WHERE id = %s", (customer,))
        self.count("public.customer")
        if r.random() < 0.3:  # leaves the long transcript unchanged
            cursor.execute("UPDATE party_interaction SET reason = %s WHERE id = %s", (self.words(3), self.next_id))
            self.count("public.party_interaction")
        return lambda: None

    def open_ticket(self, cursor):
        r, customer = self.random, self.some_customer()
        tickets = self.customers[customer][3]
        number = max(tickets, default=0) + 1
        cursor.execute("INSERT INTO trouble_ticket VALUES (%s, %s, %s, %s, 'acknowledged', %s, NULL)",
                       (customer, number, r.choice(["minor", "major", "critical"]), "complaint", self.words(15)))
        self.count("public.trouble_ticket")
        cursor.execute("UPDATE customer SET open_tickets = open_tickets + 1 WHERE id = %s", (customer,))
        self.count("public.customer")
        return lambda: tickets.__setitem__(number, True)

    def close_ticket(self, cursor):
        customer = self.some_customer()
        tickets = self.customers[customer][3]
        number = next((no for no, is_open in tickets.items() if is_open), None)
        if number is None:
            return self.open_ticket(cursor)
        cursor.execute("UPDATE trouble_ticket SET status = 'resolved', resolution_date = now()"
                       " WHERE (customer_id, ticket_no) = (%s, %s)", (customer, number))
        self.count("public.trouble_ticket")
        cursor.execute("UPDATE customer SET open_tickets = open_tickets - 1 WHERE id = %s", (customer,))
        self.count("public.customer")
        return lambda: tickets.__setitem__(number, False)

    def transfer(self, cursor):
        amount = decimal.Decimal(self.random.randrange(1, 100000)) / 100
        giver, taker = (self.customers[c][0][0] for c in self.random.sample(list(self.customers), 2))
        for account, change in ((giver, -amount), (taker, amount)):
            cursor.execute("UPDATE billing_account SET balance = balance + %s, last_modified = clock_timestamp()"
                           " WHERE id = %s", (change, account))
            self.count("public.billing_account")
        return lambda: None

    def change_product(self, cursor):
        customer = self.some_customer()
        accounts, products, _, _ = self.customers[customer]
        if products and self.random.random() < 0.5:
            cursor.execute("UPDATE product SET status = 'terminated', termination_date = current_date WHERE id = %s",
                           (self.random.choice(products),))
            self.count("public.product")
            return lambda: None
        product = self.insert_product(cursor, customer, accounts[0])
        return lambda: products.append(product)

    def change_contact(self, cursor):
        contacts = self.customers[self.some_customer()][2]
        if len(contacts) > 1:
            cursor.execute("DELETE FROM contact_medium WHERE id = %s", (contacts[-1],))
            self.count("public.contact_medium")
            return contacts.pop
        cursor.execute("UPDATE contact_medium SET address = %s, tags = %s WHERE id = %s",
                       (self.words(4), [self.words(1)], contacts[0]))
        self.count("public.contact_medium")
        return lambda: None

    def move_contact(self, cursor):
        contacts = self.customers[self.some_customer()][2]
        old, new = contacts[0], self.new_number()
        cursor.execute("UPDATE contact_medium SET id = %s WHERE id = %s", (new, old))
        self.count("public.contact_medium", 2)
        return lambda: contacts.__setitem__(0, new)

    def change_customer(self, cursor):
        customer = self.some_customer()
        cursor.execute("UPDATE customer SET status = %s, status_reason = %s, vip = NOT vip WHERE id = %s",
                       (self.random.choice(["active", "suspended"]), self.words(3), customer))
        self.count("public.customer")
        self.audit(cursor, "changeCustomer", customer)
        return lambda: None

    def remove_customer(self, cursor):
        customer = next((c for c in self.customers if self.customers[c][0]), None)
        cursor.execute("SELECT balance FROM billing_account WHERE customer_id = %s FOR UPDATE", (customer,))
        (balance,) = cursor.fetchone()
        other = next(c for c in self.customers if c != customer)
        if balance != 0:  # the balance goes to somebody else, so that the sum stays
            cursor.execute("UPDATE billing_account SET balance = balance + %s WHERE id = %s",
                           (balance, self.customers[other][0][0]))
            self.count("public.billing_account")
        for table in ("trouble_ticket", "party_interaction", "product", "contact_medium", "billing_account"):
            cursor.execute(f"DELETE FROM {table} WHERE customer_id = %s", (customer,))
            if cursor.rowcount:
                self.count(f"public.{table}", cursor.rowcount)
        cursor.execute("DELETE FROM customer WHERE id = %s", (customer,))
        self.count("public.customer")
        self.audit(cursor, "deleteCustomer", customer)
        return lambda: self.customers.pop(customer)

    def think_again(self, cursor):
        self.new_customer(cursor)
        return None  # rolled back: must never be seen anywhere

    def price_round(self, cursor):
        customers = self.random.sample(list(self.customers), min(50, len(self.customers)))
        cursor.execute("UPDATE product SET monthly_price = monthly_price * 1.01 WHERE customer_id = ANY(%s)",
                       (customers,))
        if cursor.rowcount:
            self.count("public.product", cursor.rowcount)
        cursor.execute("SAVEPOINT s")
        cursor.execute("UPDATE product SET monthly_price = 0 WHERE customer_id = %s", (customers[0],))
        cursor.execute("ROLLBACK TO SAVEPOINT s")
        self.audit(cursor, "priceRound", None)
        return lambda: None

    def audit_clean_up(self, cursor):
        cursor.execute("DELETE FROM audit_trail WHERE agent = %s AND action = 'changeCustomer'", (self.name,))
        if cursor.rowcount:
            self.count("public.audit_trail", cursor.rowcount)
        self.audit(cursor, "cleanUp", None)
        return lambda: None


class Workload(workers.Workload):
    """conninfo: of the customer database."""

    worker = Worker

    def __init__(self, conninfo, journal_path, workers=2, rate=200, seed=1):
        super().__init__(conninfo, journal_path, workers, rate, seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("conninfo")
    parser.add_argument("journal")
    parser.add_argument("--seconds", type=float, default=0, help="0: until killed")
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    load = Workload(given.conninfo, given.journal, given.workers, given.rate, given.seed).start()
    try:
        load.stopping.wait(given.seconds or None)
    except KeyboardInterrupt:
        pass
    journal = load.stop()
    print(f"{journal.transactions} transactions, {journal.rows} row events")


if __name__ == "__main__":
    sys.exit(main())
