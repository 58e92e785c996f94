/*
 * fake_codec.h: lib/codec/codec.h in plain words, for tests that link it instead of libcodec.a.
 *
 * Key: the key columns' texts. Event: "E <transaction id> <index> <index in table> <op> before=<row> after=<row>
 * previous=<commit>". BEGIN: "B <id>". END: "F <id> <events> previous=<id> <collection>=<n> ... log=<log> epoch=<n>".
 * Position: "P <log> <id or -> <commit> <confirmed> <epoch>". Heartbeat: "H <us> <lsn>". So a test can say in its own
 * source what it expects, and a reader of a failure sees it.
 */
#ifndef TAILRACE_TESTS_FAKE_CODEC_H
#define TAILRACE_TESTS_FAKE_CODEC_H

#include "lib/codec/codec.h"

#endif
