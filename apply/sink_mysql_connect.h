/*
 * sink_mysql_connect.h: a connection to the target with a session that is ours, whatever the server's defaults are.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_CONNECT_H
#define TAILRACE_APPLY_SINK_MYSQL_CONNECT_H

#include "apply/sink.h"
#include "apply/sink_mysql_link.h"
#include "lib/base/error.h"

/*
 * Connects within 10 s, watching options->wake_fd and stop(), and sets the session. *link must be zeroed; it is to be closed
 * (my_link_close()) whatever this returns. ERROR_RETRY: nobody there, starting up, full; ERROR_CONFIG with a hint: password, database,
 * certificate, another kind of server than options->type says, or one that is too old.
 */
int my_connect(const struct sink_options *options, struct my_link *link, struct error *err);

#endif
