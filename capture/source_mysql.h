/*
 * source_mysql.h: what the files of the MySQL and MariaDB source share.
 *
 * Private to source_mysql*.c. From the server to the pipeline:
 *
 *   session ─► stream (a thread of its own) ─► queue ─► feed (events, rows, look-ahead) ─► source_mysql.c (groups, XA) ─► items
 *                                                         ▲                                   │
 *              control connection ─► catalogue, shapes ───┘            groups (ring, resume) ◄┘
 *
 * Everything but the stream's thread and its end of the queue belongs to the pipeline's thread. No wait in here is
 * without a limit. Protocol: MySQL's documentation of the client/server protocol, "Replication protocol"; MariaDB's
 * knowledge base, "Replication protocol".
 */
#ifndef TAILRACE_CAPTURE_SOURCE_MYSQL_H
#define TAILRACE_CAPTURE_SOURCE_MYSQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mysql.h>

#include "capture/decode_binlog.h"
#include "capture/decode_binlog_rows.h"
#include "capture/decode_gtid.h"
#include "capture/source.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

#define SESSION_CONNECT_S 10
#define SESSION_QUERY_S 10
/* The longest period of the server's heartbeat: a dead peer is found by its silence. */
#define STREAM_HEARTBEAT_US INT64_C(10000000)
/* What waits between the stream's thread and the pipeline; one larger packet goes alone. */
#define STREAM_QUEUE_SIZE ((size_t)4 << 20)
#define RESUME_TEXT_MAX ((size_t)500 << 10)
/* Most XA branches that are prepared and not decided: each has a line in the resume text. */
#define GROUPS_PREPARED_MAX 500
/* MariaDB: most decided XA branches of the server's present life that are remembered, and most of its earlier ones: each has a line too. */
#define GROUPS_DECIDED_MAX 64
/* An XA branch's name in canonical form, X'..',X'..',N with two times 64 bytes. */
#define XID_TEXT_MAX 288

/* Who is asked, and as whom. Lives as long as the source. */
struct endpoint {
	const struct source_options *options;
	bool mariadb;
	uint32_t server_id; /* as which replica the stream shows itself */
	bool by_gtid;       /* false: MySQL without GTIDs, read by file and offset */
	bool fold_names;    /* lower_case_table_names: names of tables are kept in small letters */
};

/* What the server said of itself. */
struct server {
	char version[96];
	char id[40];       /* MySQL: server_uuid; MariaDB: server_id */
	bool log_bin, gtid, names_in_log, fold_names;
	char binlog_format[16];
};

/* ---- source_mysql_session.c: one connection ---- */
enum session_kind { SESSION_CONTROL, SESSION_DUMP };

/* Connects, waits at most SESSION_CONNECT_S. read_timeout_s: after that silence the connection is given up. */
int connection_open(const struct endpoint *end, enum session_kind kind, unsigned read_timeout_s, MYSQL **ret_conn,
	struct error *err);
/* Fills err from the connection's last error, with its class and what to do; returns -1. */
int connection_error(const struct endpoint *end, MYSQL *conn, const char *doing, struct error *err);
/* The same from a number and a text, as the stream's thread hands them over. */
int session_error_text(
	const struct endpoint *end, unsigned number, const char *text, const char *doing, struct error *err);
/* One statement; ret_result may be NULL when there is none to come. Else mysql_free_result() it. */
int connection_query(const struct endpoint *end, MYSQL *conn, const char *sql, const char *doing,
	MYSQL_RES **ret_result, struct error *err);
/* Appends text as an SQL string. */
void connection_literal(struct buf *sql, const char *text);
bool connection_stopping(const struct source_options *options);
/* A number in the high range from the agent's name, so that no two readers of one server share it by chance. n: 0, 1 ... for a second one. */
uint32_t session_server_id(const struct source_options *options, unsigned n);

/* ---- source_mysql_queue.c: packets from one thread to another ---- */
struct queue;

struct packet {
	const unsigned char *bytes;
	size_t len;
	bool acknowledge; /* semi-sync: the server waits for an answer to this one */
	uint64_t at;      /* rises with each packet of a queue */
};

int queue_new(size_t size, struct queue **ret_queue, struct error *err);
void queue_free(struct queue *queue);
/*
 * Writer: copies the packet in, waits for room. -1: cancelled. A packet of more than a quarter of the queue is lent
 * instead: the call waits until it was taken and given back.
 */
int queue_put(struct queue *queue, const void *bytes, size_t len, bool acknowledge);
/* Writer: nothing more comes, and why. text is copied, cut to size. */
void queue_end(struct queue *queue, unsigned number, const char *text);
/* Either: queue_put() returns -1 from now on. */
void queue_cancel(struct queue *queue);
/*
 * Reader: 1 and the next packet, the one before it is given back; 0: none now, queue_fd() becomes readable when there is; -1: ended, number and text
 * say why.
 */
int queue_take(struct queue *queue, struct packet *ret_packet, unsigned *ret_number, const char **ret_text);
/*
 * Reader: looks at packets behind the taken one without taking them. *io_at: 0 at first, then where to go on. 1 and a packet; 0: none now,
 * queue_fd() tells; -1: none will come before some are taken, there is no room; -2: ended, number and text say why.
 */
int queue_peek(
	struct queue *queue, uint64_t *io_at, struct packet *ret_packet, unsigned *ret_number, const char **ret_text);
int queue_fd(const struct queue *queue);

/* ---- source_mysql_stream.c: the dump connection ---- */
struct stream;

/* Where reading begins. */
struct place {
	struct gtid_set *set; /* what we have; NULL: by file and offset */
	char file[BINLOG_FILE_MAX];
	uint64_t offset;
};

/* Connects, asks for the stream, starts the thread. branch: a second stream beside the first, under a server id of its own. */
int stream_open(const struct endpoint *end, const struct place *place, bool branch, struct stream **ret_stream,
	struct error *err);
struct queue *stream_queue(const struct stream *stream);
/* Semi-sync: everything up to there is durable. */
int stream_acknowledge(struct stream *stream, const char *file, uint64_t offset, struct error *err);
/* Breaks the connection, waits for the thread. */
void stream_close(struct stream *stream);

/* ---- source_mysql_feed.c: a stream, its decoder, and the look ahead ---- */
struct feed {
	const struct endpoint *end;
	struct stream *stream;
	struct binlog_reader *reader, *scout;
	struct packet packet; /* the one being read */
	bool has_packet;
	struct ahead *ahead;  /* what the end of the group says about its rows */
};

enum ahead_state {
	AHEAD_WAIT,  /* the end of the group has not come yet, and there is room for more */
	AHEAD_WHOLE, /* seen to its end */
	AHEAD_LARGE  /* larger than the queue: nothing is known */
};

int feed_open(
	const struct endpoint *end, const struct place *place, bool branch, struct feed **ret_feed, struct error *err);
void feed_close(struct feed *feed);
/* 1 and an item; 0: none now; 2: a packet was read without an item; -1: err. */
int feed_next(struct feed *feed, struct binlog_item *ret_item, struct error *err);
/* A group begins with the item just read. Then feed_look() until it is not AHEAD_WAIT, before the next feed_next(). */
void feed_look_begin(struct feed *feed);
int feed_look(struct feed *feed, enum ahead_state *ret_state, struct error *err);
/* Whether the statement that the item just read belongs to was undone later in the group (ROLLBACK, ROLLBACK TO). */
bool feed_is_undone(const struct feed *feed);
/* Whether the group has no end: the server died while it wrote it. */
bool feed_is_torn(const struct feed *feed);

/* ---- source_mysql_decided.c: XA branches that MariaDB may tell of once more ---- */

struct decided {
	char xid[XID_TEXT_MAX];
	char id[80];    /* MariaDB: of the transaction that the rows came with, or that rolled back */
	bool committed; /* or rolled back */
	bool earlier;   /* in a life of the server before the present one */
	bool listed;    /* and XA RECOVER has that name as prepared in a later one: this branch, unless its next prepare is still to be read */
};

struct decided_list {
	struct decided of[2 * GROUPS_DECIDED_MAX]; /* those of an earlier life first, each part in the order of the log */
	size_t count;
};

void decided_note(struct decided_list *list, const struct decided *decided);
void decided_forget(struct decided_list *list, const char *xid);
/* A life of the server begins. */
void decided_restart(struct decided_list *list);
const struct decided *decided_find(const struct decided_list *list, const char *xid);

/* ---- source_mysql_groups.c: numbers, the ring of groups that are not confirmed, XA branches ---- */
struct groups;

/* An XA branch that is prepared. */
struct prepared {
	struct prepared *next, *previous;
	char *xid;
	struct gtid gtid;
	bool has_before;
	struct gtid before; /* MariaDB: the one before it in its domain */
	char *file;
	uint64_t offset;    /* of the group's first event; 0: in the file of another server, to be found by its GTID */
	bool durable, decided;
	bool earlier;       /* MariaDB: in a life of the server before the present one, */
	bool lost;          /* and XA RECOVER did not list it in a later one: gone, unless its decision is still to be read */
};

/* The last group before the place: it must come again. */
struct last_group {
	bool known;
	struct gtid gtid;
	uint64_t start; /* offset of its first event */
	int64_t us;     /* its own time stamp; a MariaDB replica gives it another one */
	bool has_before;
	struct gtid before; /* MariaDB */
};

struct group {
	struct gtid gtid;
	uint64_t start, end; /* offsets */
	int64_t us;
	bool acknowledge;
};

/* Everything that reading on needs; what the resume text says. */
struct standing {
	uint64_t next; /* number of the first group behind it */
	struct gtid_set *set; /* NULL without GTIDs */
	char server[40];  /* whose `last` is */
	char reading[40]; /* who is read now: another one until the proof, or a group, came from it */
	char file[BINLOG_FILE_MAX];
	uint64_t offset;
	struct last_group last;
};

int groups_new(const struct endpoint *end, struct groups **ret_groups, struct error *err);
void groups_free(struct groups *groups);
/* What is durable; the resume text is read into it, or filled in at the first start. */
struct standing *groups_standing(struct groups *groups);
/* Another server than the one of the resume text is read: what that said of files and offsets is void. */
void groups_other_server(struct groups *groups);
/* The last group of before came again, as this server has it. */
void groups_proved(struct groups *groups, const struct group *group);
uint64_t groups_next(const struct groups *groups);
bool groups_full(const struct groups *groups);
/* A file begins. */
int groups_file(struct groups *groups, const char *file, struct error *err);
/* The group is complete; it is the one with number groups_next(). */
int groups_add(struct groups *groups, const struct group *group, struct error *err);
/* Before groups_add() of the group that prepares, or decides. A branch of that name that is still open was lost by the server. */
int groups_prepare(
	struct groups *groups, const char *xid, const struct group *group, const char *file, struct error *err);
int groups_decide(struct groups *groups, struct prepared *prepared, struct error *err);
/* The same for the decision itself, as often as it comes; kept for MariaDB only. id: of the transaction that had the rows, or that rolled back. */
int groups_note_decision(
	struct groups *groups, const char *xid, bool committed, const char *id, struct error *err);
struct prepared *groups_prepared(const struct groups *groups, const char *xid);
/* How a branch that is not open was decided; NULL: not known. Valid until the next decision. */
const struct decided *groups_decision(const struct groups *groups, const char *xid);
int groups_restore_prepared(struct groups *groups, const struct prepared *prepared, struct error *err);
void groups_restore_decision(struct groups *groups, const struct decided *decided);
const struct prepared *groups_durable_prepared(const struct groups *groups, const struct prepared *after);
const struct decided_list *groups_durable_decisions(const struct groups *groups);
/* MariaDB: a life of the server begins here in the log. */
int groups_restarted(struct groups *groups, struct error *err);
/* Whether the file that is read begins behind the standing, so that nobody was told yet of a life that begins with it. */
bool groups_file_is_new(const struct groups *groups);
/* Whether XA RECOVER may say more of a branch of an earlier life. */
bool groups_in_doubt(const struct groups *groups);
/*
 * Its answer, asked behind the last groups_restarted(): begin, each name listed, and where the log ended after that. It is of that end, so it counts
 * when that was read: a branch of an earlier life that is not listed and still open was lost by the server and is forgotten; one that is listed and
 * was committed is warned of.
 */
void groups_recovered_begin(struct groups *groups);
void groups_recovered(struct groups *groups, const char *xid);
void groups_recovered_end(struct groups *groups, const char *file, uint64_t offset);
/* The file is read up to there, between groups; groups_add() does it itself. */
int groups_read_to(struct groups *groups, uint64_t offset, struct error *err);
/* The groups below upto become the standing. */
int groups_fold(struct groups *groups, uint64_t upto, struct error *err);
/* Semi-sync: 1 and the place to acknowledge if groups below upto wait for that. */
int groups_acknowledge(struct groups *groups, uint64_t upto, const char **ret_file, uint64_t *ret_offset);
const char *groups_describe(const struct groups *groups, uint64_t upto, char *buf, size_t size);

/* ---- source_mysql_resume.c: the resume text ---- */
int resume_print(struct groups *groups, struct buf *out, struct error *err);
int resume_parse(struct groups *groups, const struct endpoint *end, const char *text, struct error *err);

/* ---- source_mysql_control.c: the connection for SQL ---- */
enum control_question { CONTROL_IDLE, CONTROL_SIZES, CONTROL_EXECUTED };

struct control {
	const struct endpoint *end;
	MYSQL *conn;
	enum control_question asked;
	int64_t next_us, limit_us;
	bool warned;
	bool lock_lost; /* another reader has it */
	struct buf sizes;    /* "<file> <bytes>\n" for each, in order; empty: not known */
	struct buf executed; /* the set of what the server has; empty: not known */
	bool fresh_executed;
};

int control_open(struct control *control, const struct endpoint *end, struct error *err);
void control_release(struct control *control);
/* A statement now; connects anew if the connection is gone. */
int control_query(
	struct control *control, const char *sql, const char *doing, MYSQL_RES **ret_result, struct error *err);
/* Asks for sizes and sets when it is time, takes what has come; hardly waits. -1: the log is another reader's by now. */
int control_step(struct control *control, int64_t now_us, struct error *err);
/* Adds its descriptor; returns how many. */
size_t control_poll(const struct control *control, struct pollfd *fds, size_t room);
/* Bytes of log behind that place; -1: not known. */
int64_t control_bytes_behind(const struct control *control, const char *file, uint64_t offset);

/* ---- source_mysql_setup.c: before the stream ---- */
int setup_server(struct control *control, struct server *ret_server, struct error *err);
/* The server's set of what it has, asked now; with what is in MySQL's log and waits for a semi-sync acknowledgement. */
int setup_executed(struct control *control, struct gtid_set **ret_set, struct error *err);
/* MySQL's gtid_owned (uuid:number#thread:number#thread...uuid:...) as the text of a set. */
int setup_owned_text(const char *owned, struct buf *out, struct error *err);
/* The first start: the log's end becomes the standing, and the identity is made. */
int setup_begin(struct control *control, const struct server *server, struct groups *groups,
	struct source_identity *identity, struct error *err);
/* A later start: compares the standing with the server. */
int setup_continue(struct control *control, const struct server *server, struct groups *groups,
	struct source_identity *identity, struct error *err);
/* Opens the stream at the standing, one group early where that can be. *ret_proof: whether that group must come first. */
int setup_stream(
	struct control *control, struct groups *groups, struct feed **ret_feed, bool *ret_proof, struct error *err);
/* MariaDB, behind groups_restarted(): asks which branches the server still has. What it refuses to tell is left out. */
void setup_recover(struct control *control, struct groups *groups);
/* Opens a second stream at the group that prepared a branch. */
int setup_branch(struct control *control, const struct prepared *prepared, struct feed **ret_feed, struct error *err);

/* ---- source_mysql_shapes.c: descriptions of tables as they were ---- */
struct shapes;

int shapes_open(const struct source_options *options, const char *log, struct shapes **ret_shapes, struct error *err);
void shapes_close(struct shapes *shapes);
/* 1 and the description that was valid at that number, for the caller to free(); 0: none; -1. */
int shapes_get(struct shapes *shapes, const char *schema, const char *name, uint64_t number, char **ret_text,
	size_t *ret_len, struct error *err);
int shapes_put(struct shapes *shapes, const char *schema, const char *name, uint64_t number, const char *text,
	size_t len, struct error *err);
/* From that number on what was known is void. name NULL: all tables of the schema; both NULL: all tables. */
int shapes_void(struct shapes *shapes, const char *schema, const char *name, uint64_t number, struct error *err);
/* From here to shapes_end() nothing is durable by itself, which is faster. */
int shapes_begin(struct shapes *shapes, struct error *err);
int shapes_end(struct shapes *shapes, struct error *err);

/* ---- source_mysql_names.c: names of tables as statements have them ---- */
/* Whether it is UTF-8. */
bool names_is_text(const char *name);
/* The query with its text in UTF-8, as far as its charset is known and the text is one of it; in the arena. */
int names_query(const struct binlog_query *query, struct arena *arena, struct binlog_query *ret_query, struct error *err);
/* The name in small letters, in the arena. */
int names_fold(struct control *control, const char *name, struct arena *arena, const char **ret, struct error *err);
/* The patterns of tables in small letters, in the arena. */
int names_fold_lists(struct control *control, struct source_options *options, struct arena *arena, struct error *err);

/* ---- source_mysql_later.c: does the catalogue's answer hold here? ---- */
struct later_place {
	const char *file;
	uint64_t offset;
	bool own_group; /* a group begins there, and is not looked at */
};

/* Whether statements that may have altered the table stand behind the place, or too much to look at. */
int later_statements(struct control *control, const struct later_place *place, const char *name, bool *ret_found,
	struct error *err);

/* ---- source_mysql_catalogue.c: what the decoder asks ---- */
struct catalogue {
	struct control *control;
	struct shapes *shapes; /* NULL: none are kept */
	uint64_t number;       /* of the group being read */
	uint64_t ddl_number;   /* of the last group with DDL */
	const struct source *source; /* tells the place */
	struct arena arena;    /* of the last answer */
	bool warned;
};

/* struct binlog_catalogue's table(). */
int catalogue_table(void *context, const char *schema, const char *name, const unsigned char *types,
	size_t column_count, bool known_names, const struct binlog_catalogue_column **ret_columns, size_t *ret_count,
	struct error *err);
/* Keeps the descriptions of all chosen tables as they are now. */
int catalogue_keep_all(struct catalogue *catalogue, struct error *err);
/* The description of a table that holds at this place, kept or asked now; valid until the next question. 0 columns: there is none. */
int catalogue_columns(struct catalogue *catalogue, const char *schema, const char *name,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err);
/* DDL was read: what was kept of the tables (as in shapes_void()) does not hold any more. */
int catalogue_forget(struct catalogue *catalogue, const char *schema, const char *name, struct error *err);
/* Asks for a table whose DDL was just read, and keeps the answer if it is surely of this place. */
int catalogue_keep(struct catalogue *catalogue, const char *schema, const char *name, struct error *err);
/* source.h's tables(). */
int catalogue_tables(struct control *control, source_table_visit *visit, void *context, struct error *err);
/* Warns of foreign keys whose cascades the server's log does not show. */
int catalogue_cascades(struct control *control, struct error *err);
bool catalogue_is_chosen(const struct source_options *options, const char *schema, const char *name);
/* The description of a table as it is now; 0 columns: there is none. In the arena. */
int catalogue_describe(struct control *control, const char *schema, const char *name, struct arena *arena,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err);

/* ---- source_mysql_map.c: a table map of our own ---- */
/* The body of a table map with these columns, as a server with MINIMAL metadata would write it. -1: a type that it does not know. */
int map_make(const char *schema, const char *name, const struct binlog_catalogue_column *columns, size_t count,
	bool mariadb, struct buf *out, struct error *err);

/* ---- source_mysql_items.c: events -> items ---- */
enum group_state {
	GROUP_NONE,
	GROUP_BEGUN, /* its GTID was read, BEGIN is not given yet: the next event may say more of it */
	GROUP_OPEN
};

/* What is done with the group's rows. */
enum group_rows {
	ROWS_GIVEN,
	ROWS_HELD, /* an XA branch: they come with its commit, or never */
	ROWS_KNOWN /* the group before our place, read once more as a proof: it has no number and no items */
};

struct source_map {
	uint64_t table_id;
	bool chosen;
};

struct source {
	struct source_options options;
	struct arena names; /* of folded patterns in options */
	struct endpoint end;
	struct server server;
	struct control control;
	struct shapes *shapes;
	struct catalogue catalogue;
	struct groups *groups;
	struct feed *feed, *branch; /* branch: an XA branch is read again as the content of its commit */
	uint64_t head;
	int64_t next_beat_us;
	bool more; /* next() stopped though packets are at hand */
	unsigned calls; /* of next(), so that duties are looked at now and then */

	/* ---- decoding ---- */
	struct binlog_catalogue callbacks;
	struct binlog_tables *tables;
	struct binlog_format format; /* of the file that feed reads */
	struct binlog_rows *rows;
	struct arena arena; /* of one row, one statement, one name */
	struct source_map *maps; /* of the statement being read */
	size_t map_count, map_room;
	bool rows_open, statement_end;
	uint64_t rows_start; /* offset of the rows event being read */

	/* ---- the group ---- */
	enum group_state state;
	enum group_rows group_rows;
	struct group group;
	struct transaction txn;
	bool single;     /* MariaDB: one statement and no end of its own */
	bool explicit_end; /* MySQL: it began with BEGIN */
	bool look_due;   /* its end must be looked for */
	bool large;      /* its end was not found */
	bool savepoint;  /* one was set in a large group */
	bool proof_due;  /* the first group of the stream must be the last of the standing */
	bool met_group;  /* the stream has come to a group: what it said before was of its beginning */
	uint64_t given, given_since_savepoint; /* rows */
	struct gtid branch_gtid;

	/* ---- items that are due, in this order ---- */
	bool begin_due, commit_due, beat_due;
	int64_t beat_us; /* its source_us */
	const struct table *truncate_due;
	uint64_t truncate_start;
};

/* Takes in one item of the log; what follows from it is due then. */
int items_take(struct source *src, const struct binlog_item *item, struct error *err);
/* 1 and an item that is due; 0: none; -1: err. */
int items_give(struct source *src, struct source_item *ret_item, struct error *err);

/* ---- source_mysql_statement.c: QUERY events ---- */
int statement_take(struct source *src, const struct binlog_item *item, struct error *err);
/* XA COMMIT: the branch's rows become the group's. */
int items_take_branch(struct source *src, const struct binlog_item *item, struct prepared *prepared, struct error *err);
/* binlog_tables_map(), and a warning of what the table is given out without. */
int items_map(struct source *src, const void *bytes, size_t len, const struct table **ret_table, struct error *err);
/* The group ends with this item. */
int items_end_group(struct source *src, const struct binlog_item *item, struct error *err);

#endif
