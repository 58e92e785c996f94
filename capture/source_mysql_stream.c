/*
 * source_mysql_stream.c: the dump connection, and the thread that reads it.
 *
 *   1. tell the server how we read: checksums as it has them, heartbeats, GTIDs (MariaDB: slave capability 4), semi-sync if wanted
 *   2. COM_BINLOG_DUMP (18) or, MySQL with GTIDs, COM_BINLOG_DUMP_GTID (30); all integers little-endian:
 *        18: u32 offset, u16 flags (2: with the statements' texts), u32 server id, file name
 *        30: u16 flags (4: by GTID), u32 server id, u32 length of name = 0, u64 offset = 4, u32 length, set (decode_gtid.h)
 *   3. from then on the connection belongs to the thread, which puts one packet after the other into the queue:
 *        00, [EF, flag: semi-sync], event      FE and less than 9 bytes: the end      FF: an error
 *
 * The library's only way to wait for a packet is to block, and it keeps a read cache, so that its socket must not be
 * polled: hence a thread. It is ended by shutting the socket down.
 *
 * A semi-sync acknowledgement (EF, u64 offset, file name) goes the other way on the same connection. In clear text it
 * is written to the socket beside the library; with TLS only the thread may write, so there it goes out with the next
 * packet, and the heartbeat is asked for often. The server counts its packets anew behind each one that waits for an
 * answer, so must we.
 *
 * Facts behind this: the servers' own replicas (slave.cc, rpl_replica.cc) and experiments with five versions.
 */
#include "capture/source_mysql.h"

#include <endian.h>
#include <errmsg.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMMAND_DUMP_GTID 30
#define DUMP_BY_GTID 4
#define ACKNOWLEDGE 0xEF
/* With TLS an acknowledgement waits for the next packet: one comes at least so often. */
#define ACKNOWLEDGE_HEARTBEAT_US INT64_C(20000)
#define COMMAND_MAX ((size_t)16 << 20)

extern unsigned long mysql_net_read_packet(MYSQL *conn); /* exported, but in no header */

struct stream {
	const struct endpoint *end;
	MYSQL *conn;
	struct queue *queue;
	pthread_t thread;
	bool started, tls;
	int socket;
	/* semi-sync with TLS: what the thread is to send; under the lock */
	pthread_mutex_t lock;
	char ack[BINLOG_FILE_MAX + 16];
	size_t ack_len;
};

struct queue *stream_queue(const struct stream *stream)
{
	return stream->queue;
}

/* ---- the thread ---- */

static void send_waiting_ack(struct stream *stream)
{
	char ack[sizeof stream->ack];
	size_t len;

	(void)pthread_mutex_lock(&stream->lock);
	len = stream->ack_len;
	memcpy(ack, stream->ack, len);
	stream->ack_len = 0;
	(void)pthread_mutex_unlock(&stream->lock);
	if (len > 0) {
		unsigned number = stream->conn->net.pkt_nr;

		/* the packet was copied out of the library's buffer by now; its failure shows at the next read */
		(void)stream->conn->methods->db_command(
			stream->conn, (enum enum_server_command)ACKNOWLEDGE, ack, len, 1, NULL);
		stream->conn->net.pkt_nr = number;
	}
}

/* Whether the packet has the two bytes of semi-sync: the first one, an artificial ROTATE with time 0, tells it. */
static bool has_semi_sync_head(const unsigned char *bytes, unsigned long len)
{
	return len > 2 && bytes[1] == ACKNOWLEDGE;
}

static void *read_packets(void *argument)
{
	struct stream *stream = argument;
	MYSQL *conn = stream->conn;
	bool first = true, semi_sync = false;

	for (;;) {
		unsigned long len = mysql_net_read_packet(conn), head = 1;
		const unsigned char *bytes = conn->net.read_pos;
		bool acknowledge;

		if (len == (unsigned long)(unsigned)-1 || len == (unsigned long)-1) {
			queue_end(stream->queue, mysql_errno(conn), mysql_error(conn));
			break;
		}
		if (len == 0 || (bytes[0] == 0xFE && len < 9)) {
			queue_end(stream->queue, CR_SERVER_LOST, "the server ended the stream");
			break;
		}
		if (first && stream->end->options->semi_sync)
			semi_sync = has_semi_sync_head(bytes, len);
		first = false;
		acknowledge = semi_sync && len > 2 && bytes[2] != 0;
		if (semi_sync)
			head = 3;
		if (len < head) {
			queue_end(stream->queue, CR_MALFORMED_PACKET, "a packet is too short");
			break;
		}
		if (acknowledge)
			conn->net.pkt_nr = 1;
		if (queue_put(stream->queue, bytes + head, len - head, acknowledge) < 0)
			break;
		if (stream->tls && semi_sync)
			send_waiting_ack(stream);
	}
	mysql_thread_end();
	return NULL;
}

/* ---- asking for the stream ---- */

static void put_number(struct buf *to, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_append_byte(to, (char)(value >> (8 * i)));
}

/* Ours, and the same at each start, so that the server drops what is left of a connection that it does not know to be dead. */
static void append_uuid(struct buf *sql, uint32_t server_id)
{
	buf_printf(sql, "'%08" PRIx32 "-7461-496c-8261-%08" PRIx32 "6365'", server_id, server_id * 2654435761U);
}

static int64_t heartbeat_period_us(const struct stream *stream)
{
	int64_t period = stream->end->options->heartbeat_interval_us;

	if (period <= 0 || period > STREAM_HEARTBEAT_US)
		period = STREAM_HEARTBEAT_US;
	if (stream->tls && stream->end->options->semi_sync)
		period = ACKNOWLEDGE_HEARTBEAT_US;
	return period;
}

static int set_variables(
	struct stream *stream, const struct place *place, uint32_t server_id, bool branch, struct error *err)
{
	const struct endpoint *end = stream->end;
	int64_t period_ns = heartbeat_period_us(stream) * 1000;
	struct buf sql;
	int rc = -1;

	buf_init(&sql, COMMAND_MAX);
	buf_append_str(&sql,
		"SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = "
		"@@global.binlog_checksum");
	buf_printf(&sql, ", @master_heartbeat_period = %" PRId64 ", @source_heartbeat_period = %" PRId64, period_ns,
		period_ns);
	if (end->options->semi_sync && !branch)
		buf_append_str(&sql, ", @rpl_semi_sync_slave = 1, @rpl_semi_sync_replica = 1");
	if (end->mariadb) {
		buf_append_str(&sql, ", @mariadb_slave_capability = 4");
		if (place->set != NULL) {
			struct buf set;

			buf_init(&set, COMMAND_MAX);
			gtid_set_format(place->set, &set);
			buf_append_str(&sql, ", @slave_gtid_strict_mode = 0, @slave_connect_state = ");
			connection_literal(&sql, buf_cstr(&set));
			sql.failed = sql.failed || set.failed;
			buf_release(&set);
		}
	} else {
		buf_append_str(&sql, ", @slave_uuid = ");
		append_uuid(&sql, server_id);
		buf_append_str(&sql, ", @replica_uuid = ");
		append_uuid(&sql, server_id);
	}
	if (buf_check(&sql, "statement", err) == 0)
		rc = connection_query(end, stream->conn, buf_cstr(&sql), "preparing the stream", NULL, err);
	buf_release(&sql);
	return rc;
}

static int ask(struct stream *stream, const struct place *place, uint32_t server_id, struct error *err)
{
	bool by_set = place->set != NULL && !stream->end->mariadb;
	struct buf command, set;
	int rc = -1;

	buf_init(&command, COMMAND_MAX);
	buf_init(&set, COMMAND_MAX);
	if (by_set) {
		gtid_set_encode(place->set, &set);
		put_number(&command, DUMP_BY_GTID, 2);
		put_number(&command, server_id, 4);
		put_number(&command, 0, 4);
		put_number(&command, 4, 8);
		put_number(&command, set.len, 4);
		buf_append(&command, set.data, set.len);
	} else {
		put_number(&command, place->set != NULL ? 4 : place->offset, 4);
		put_number(&command, 0, 2);
		put_number(&command, server_id, 4);
		if (place->set == NULL)
			buf_append_str(&command, place->file);
	}
	if (buf_check(&set, "GTID set", err) < 0 || buf_check(&command, "command", err) < 0)
		goto out;
	if (stream->conn->methods->db_command(stream->conn,
		    by_set ? (enum enum_server_command)COMMAND_DUMP_GTID : COM_BINLOG_DUMP, command.data, command.len,
		    1, NULL) != 0)
		rc = connection_error(stream->end, stream->conn, "asking for the stream", err);
	else
		rc = 0;
out:
	buf_release(&command);
	buf_release(&set);
	return rc;
}

/* Silence that is longer than three heartbeats: the server is gone. */
static unsigned read_timeout_s(void)
{
	return (unsigned)(3 * STREAM_HEARTBEAT_US / 1000000) + SESSION_QUERY_S;
}

int stream_open(const struct endpoint *end, const struct place *place, bool branch, struct stream **ret_stream,
	struct error *err)
{
	struct stream *stream = calloc(1, sizeof *stream);
	uint32_t server_id = branch ? session_server_id(end->options, 1) : end->server_id;

	if (stream == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a stream");
	stream->end = end;
	(void)pthread_mutex_init(&stream->lock, NULL);
	if (place->set == NULL && place->offset > UINT32_MAX) {
		error_set(err, ERROR_GAP, "offset %" PRIu64 " of %s cannot be asked for: the protocol has 32 bits",
			place->offset, place->file);
		(void)error_hint(err, "set gtid_mode = ON, or keep max_binlog_size below 4 GiB");
		goto failed;
	}
	if (queue_new(STREAM_QUEUE_SIZE, &stream->queue, err) < 0 ||
		connection_open(end, SESSION_DUMP, read_timeout_s(), &stream->conn, err) < 0)
		goto failed;
	stream->tls = mysql_get_ssl_cipher(stream->conn) != NULL;
	stream->socket = (int)mysql_get_socket(stream->conn);
	if (set_variables(stream, place, server_id, branch, err) < 0 || ask(stream, place, server_id, err) < 0)
		goto failed;
	if (pthread_create(&stream->thread, NULL, read_packets, stream) != 0) {
		error_set(err, ERROR_RETRY, "no thread for the stream");
		goto failed;
	}
	stream->started = true;
	*ret_stream = stream;
	return 0;
failed:
	stream_close(stream);
	return -1;
}

void stream_close(struct stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->started) {
		queue_cancel(stream->queue);
		(void)shutdown(stream->socket, SHUT_RDWR);
		(void)pthread_join(stream->thread, NULL);
	}
	if (stream->conn != NULL)
		mysql_close(stream->conn);
	queue_free(stream->queue);
	(void)pthread_mutex_destroy(&stream->lock);
	free(stream);
}

/* ---- semi-sync ---- */

/* A packet of the protocol: length in three bytes, number 0, content. */
static int write_packet(struct stream *stream, const char *content, size_t len, struct error *err)
{
	char packet[4 + 1 + sizeof stream->ack];
	size_t size = 5 + len, done = 0;

	packet[0] = (char)(len + 1);
	packet[1] = (char)((len + 1) >> 8);
	packet[2] = 0;
	packet[3] = 0;
	packet[4] = (char)ACKNOWLEDGE;
	memcpy(packet + 5, content, len);
	while (done < size) {
		ssize_t n = send(stream->socket, packet + done, size - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return error_set(err, ERROR_RETRY, "the acknowledgement to the server could not be sent: %s",
				strerror(errno));
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int stream_acknowledge(struct stream *stream, const char *file, uint64_t offset, struct error *err)
{
	char content[sizeof stream->ack];
	size_t len = 8 + strnlen(file, BINLOG_FILE_MAX - 1);

	offset = htole64(offset);
	memcpy(content, &offset, 8);
	memcpy(content + 8, file, len - 8);
	if (!stream->tls)
		return write_packet(stream, content, len, err);
	(void)pthread_mutex_lock(&stream->lock);
	memcpy(stream->ack, content, len);
	stream->ack_len = len;
	(void)pthread_mutex_unlock(&stream->lock);
	return 0;
}
