"""One Kafka broker (KRaft: broker and controller in one process), and what a test asks of it.

Java is called directly, without Kafka's shell scripts: they are not in the jars from Maven Central, and cost time.
"""

import base64
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

from . import places
from .ports import free_port
from .process import Process, Service
from .wait import wait_until

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": 1,
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    # A broker started after SIGKILL may join when the session of the killed one has run out: 9 s if left alone.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 300,
}


def new_cluster_id():
    """22 characters as Kafka wants them.  One that begins with '-' would be read as an option of the formatter."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _quiet(options):
    """Client settings for a broker that may be down: no lines about it on our standard error."""
    return {"log_level": 0, "error_cb": lambda error: None, "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200, **options}


class Kafka(Service):
    """A broker below directory/name.  `settings` are added to SETTINGS; None takes one out.

    `bootstrap_servers` says how to reach it.  The same port and data serve all of its starts.  TAILRACE_JAVA_OPTIONS in
    the environment are options for its Java.
    """

    def __init__(self, directory, port=None, name="kafka", settings=None, heap=("256m", "512m")):
        super().__init__(directory, name)
        self.port = port or free_port()
        self.controller_port = free_port()
        self.settings = {**SETTINGS, **(settings or {})}
        self.heap = heap
        self.data = self.directory / "data"
        self.properties = self.directory / "server.properties"
        self.bootstrap_servers = f"127.0.0.1:{self.port}"
        self._admin = None

    # ---- Its life ----

    def _java(self, *arguments):
        java = shutil.which("java")
        if java is None:
            raise FileNotFoundError("no java in PATH: run tests/setup.sh")
        logging = Path(__file__).with_name("kafka.log4j2.properties")
        return [java, f"-Dlog4j2.configurationFile={logging}", f"-Dharness.log={self.log}",
                "-cp", ":".join(map(str, places.kafka_jars())), *arguments]

    def _write_properties(self):
        settings = {
            **self.settings,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": self.data,
        }
        lines = [f"{key}={value}\n" for key, value in settings.items() if value is not None]
        self.properties.write_text("".join(lines))

    def init(self):
        """Formats the storage, unless an earlier run did."""
        self._write_properties()
        if (self.data / "meta.properties").exists():
            return self
        shutil.rmtree(self.data, ignore_errors=True)
        command = self._java("-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format",
                             "--cluster-id", new_cluster_id(), "--config", self.properties)
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"the format of Kafka's storage failed:\n{done.stdout}")
        return self

    def start(self, wait=True, timeout=120):
        """Starts the broker, formatting its storage first if it is new; returns when a client gets metadata."""
        if self.running:
            return self
        self.init()
        options = os.environ.get("TAILRACE_JAVA_OPTIONS", "").split()
        command = self._java(*options, f"-Xms{self.heap[0]}", f"-Xmx{self.heap[1]}", "kafka.Kafka", self.properties)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("KAFKA_")}
        self.process = Process(command, self.log, self.pid_file, cwd=self.directory, env=environment)
        if wait:
            self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=120):
        admin = self.admin()

        def answers():
            self.process.check(f"{self.name} to answer")
            return admin.list_topics(timeout=1).brokers
        wait_until(answers, timeout, f"{self.name} to answer", ignore=(KafkaException,))
        return self

    def stop(self, timeout=60):
        """SIGTERM, and waits for the end."""
        if self.process is not None:
            self.process.stop(timeout=timeout)

    def restart(self):
        self.stop()
        return self.start()

    # ---- Topics ----

    def admin(self):
        """The broker's one admin client.  It must outlive the futures that it gives, or they never end."""
        if self._admin is None:
            self._admin = AdminClient(_quiet({"bootstrap.servers": self.bootstrap_servers}))
        return self._admin

    def create_topic(self, topic, partitions=1, config=None):
        """Makes a topic, or leaves the one of that name as it is; returns when its partitions have leaders."""
        admin = self.admin()
        future = admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic]
        try:
            future.result(30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

        def led():
            found = admin.list_topics(topic, timeout=5).topics[topic].partitions
            return found and all(one.leader >= 0 for one in found.values())
        wait_until(led, 30, f"leaders for topic {topic}", ignore=(KafkaException,))

    def delete_topic(self, topic):
        self.admin().delete_topics([topic])[topic].result(30)
        wait_until(lambda: topic not in self.topics(), 30, f"the end of topic {topic}")

    def topics(self):
        """{topic: number of partitions}, without Kafka's own."""
        found = self.admin().list_topics(timeout=10).topics
        return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("__")
                or name.startswith("__debezium")}

    def topic_config(self, topic):
        """{key: value} of a topic's settings."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        found = self.admin().describe_configs([resource])[resource].result(30)
        return {key: entry.value for key, entry in found.items()}

    def _offsets(self, topic, spec):
        partitions = range(self.topics_all()[topic])
        asked = {TopicPartition(topic, partition): spec for partition in partitions}

        def answered():
            found = self.admin().list_offsets(asked)
            return {at.partition: future.result(30).offset for at, future in found.items()}
        # A broker that was just restarted or woken does not know its own leaders for a moment.
        return wait_until(answered, 30, f"the offsets of topic {topic}", ignore=(KafkaException,))

    def topics_all(self):
        """{topic: number of partitions}, Kafka's own too."""
        return {name: len(topic.partitions) for name, topic in self.admin().list_topics(timeout=10).topics.items()}

    def begin_offsets(self, topic):
        return self._offsets(topic, OffsetSpec.earliest())

    def end_offsets(self, topic):
        """{partition: the offset that the next record will have}.  Transactions' marks take offsets too."""
        return self._offsets(topic, OffsetSpec.latest())

    # ---- Records ----

    def producer(self, **options):
        """A producer that waits for all replicas and does not repeat records.  Options are spelled with `_` for `.`."""
        return Producer({"bootstrap.servers": self.bootstrap_servers, "enable.idempotence": True, "log_level": 3,
                         **_dotted(options)})

    def produce(self, topic, records, partition=None):
        """Sends records, each (key, value) or (key, value, headers), and returns when all are stored."""
        producer = self.producer()
        failed = []
        where = {} if partition is None else {"partition": partition}
        for record in records:
            headers = list(record[2]) if len(record) > 2 else None
            while True:
                try:
                    producer.produce(topic, key=record[0], value=record[1], headers=headers, **where,
                                     on_delivery=lambda error, _: failed.append(error) if error else None)
                    break
                except BufferError:
                    producer.poll(0.1)
        left = producer.flush(60)
        if left or failed:
            raise AssertionError(f"{left} records not sent to {topic}, errors: {failed[:3]}")

    def consumer(self, group=None, **options):
        """A consumer that reads committed records from the beginning.  Options are spelled with `_` for `.`."""
        return Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group or f"harness-{uuid.uuid4()}",
                         "auto.offset.reset": "earliest", "enable.auto.commit": False,
                         "enable.partition.eof": True, "isolation.level": "read_committed", **_dotted(options)})

    def read_topic(self, topic, timeout=60, committed=True, start=None):
        """All records of a topic up to its end now, in the order of (partition, offset).

        `start` is {partition: first offset to read}; without it reading begins at the oldest record.
        """
        consumer = self.consumer(isolation_level="read_committed" if committed else "read_uncommitted",
                                 fetch_wait_max_ms=50)
        ends, begins = self.end_offsets(topic), self.begin_offsets(topic)
        at = {partition: max((start or {}).get(partition, 0), begins[partition]) for partition in ends}
        todo = {partition for partition in ends if at[partition] < ends[partition]}
        found = []
        try:
            consumer.assign([TopicPartition(topic, partition, at[partition]) for partition in todo])

            def progress():
                for message in consumer.consume(1000, timeout=0.2 if todo else 0):
                    _take(message, ends, todo, found)
                return not todo
            wait_until(progress, timeout, f"the end of topic {topic}", interval=0.001)
        finally:
            consumer.close()
        return sorted(found, key=lambda message: (message.partition(), message.offset()))


def _take(message, ends, todo, found):
    """Sorts one answer of a consumer: a record to keep, the end of a partition, or a failure."""
    partition = message.partition()
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            raise KafkaException(message.error())
        todo.discard(partition)
        return
    if message.offset() < ends[partition]:
        found.append(message)
    if message.offset() >= ends[partition] - 1:
        todo.discard(partition)


def _dotted(options):
    return {key.replace("_", "."): value for key, value in options.items()}
