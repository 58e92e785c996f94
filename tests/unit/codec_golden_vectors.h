/*
 * codec_golden_vectors.h: recorded by codec_golden.c: name, bytes in hex, what they say. Not written by hand.
 */
#ifndef TAILRACE_TESTS_UNIT_CODEC_GOLDEN_VECTORS_H
#define TAILRACE_TESTS_UNIT_CODEC_GOLDEN_VECTORS_H

static const struct golden {
	const char *name, *hex, *text;
} goldens[] = {
	{ "insert",
		"000000000800020254020a466cc3a474020280020214029d42b64e76714244cd0236323032362d30312d30315430303a30303a30302e3132333435365a020102ccbf020208676f6c640280e8dbc489990102040202610000VERSION14706f737467726573716c0873686f70e8a7d5edee66000a66616c73650663726d022e5b223233343530303030222c223233343536373030225d02b488bfe288d2a30602a0d6d9bcc194b986310c7075626c69630c74617269666602860c02f8aeaf1600000002183737313a32333435363738390202026302fea7d5edee6602b0b0c0e288d2a3060280f7f9c6c194b986310002020a6c617374730a31206d6f6e00",
		"c public.tariff 771:23456789 1 1 lsn 23456700 at 1767225600500250; after id=int 42 Name=text Fl\303\244t rate %=text -1.28 any=text 1234567890123456789012.5 seen=int 1767225600123456 at=int -1000 day=int 20454 kind=text gold lasts=text 1 mon tags=array [text a, null]" },
	{ "update",
		"0000000008020252000000000000000000020201000000000000000000VERSION14706f737467726573716c0873686f70e8a7d5edee66000a66616c73650663726d022e5b223233343530303030222c223233343536373530225d02b488bfe288d2a30602a0d6d9bcc194b986310c7075626c69630c74617269666602860c02dcafaf1600000002183737313a32333435363738390404027502fea7d5edee6602b0b0c0e288d2a3060280f7f9c6c194b986310202084e616d650002040c726174655f5f064e614e087365656e10696e66696e69747900",
		"u public.tariff 771:23456789 2 2 lsn 23456750 at 1767225600500250 key; before id=int 41 Name=null rate %=null any=null seen=null at=null day=null kind=null lasts=null tags=null; after id=int -1 Name=unchanged rate %=exact NaN any=null seen=exact infinity at=null day=null kind=null lasts=null tags=null" },
	{ "update's key",
		"000000000701",
		"" },
	{ "delete",
		"000000000802025200000000000000000000VERSION14706f737467726573716c0873686f70e8a7d5edee66000a66616c73650663726d022e5b223233343530303030222c223233343536373630225d02b488bfe288d2a30602a0d6d9bcc194b986310c7075626c69630c74617269666602860c02f0afaf1600000002183737313a32333435363738390606026402fea7d5edee6602b0b0c0e288d2a3060280f7f9c6c194b986310000",
		"d public.tariff 771:23456789 3 3 lsn 23456760 at 1767225600500250 key; before id=int 41 Name=null rate %=null any=null seen=null at=null day=null kind=null lasts=null tags=null" },
	{ "truncate",
		"00000000080000VERSION14706f737467726573716c0873686f70e8a7d5edee66000a66616c73650663726d022e5b223233343530303030222c223233343536373730225d02b488bfe288d2a30602a0d6d9bcc194b986310c7075626c69630c74617269666602860c0284b0af1600000002183737313a32333435363738390808027402fea7d5edee6602b0b0c0e288d2a3060280f7f9c6c194b98631000202107472756e636174650e6361736361646500",
		"t public.tariff 771:23456789 4 4 lsn 23456770 at 1767225600500250 cascade" },
	{ "key schema",
		"",
		"{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"shop.public.tariff\",\"fields\":[{\"name\":\"id\",\"type\":{\"type\":\"int\",\"connect.parameters\":{\"__debezium.source.column.type\":\"integer\"}}}],\"connect.name\":\"shop.public.tariff.Key\"}" },
	{ "value schema",
		"",
		"{\"type\":\"record\",\"name\":\"Envelope\",\"namespace\":\"shop.public.tariff\",\"fields\":[{\"name\":\"before\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Value\",\"fields\":[{\"name\":\"id\",\"type\":[\"null\",{\"type\":\"int\",\"connect.parameters\":{\"__debezium.source.column.type\":\"integer\",\"tailrace.key\":\"true\"}}],\"default\":null},{\"name\":\"Name\",\"type\":[\"null\",{\"type\":\"string\",\"connect.parameters\":{\"__debezium.source.column.type\":\"text\"}}],\"default\":null},{\"name\":\"rate__\",\"type\":[\"null\",{\"type\":\"bytes\",\"scale\":2,\"precision\":5,\"connect.version\":1,\"connect.parameters\":{\"scale\":\"2\",\"connect.decimal.precision\":\"5\",\"__debezium.source.column.type\":\"numeric(5,2)\",\"__debezium.source.column.name\":\"rate %\"},\"connect.name\":\"org.apache.kafka.connect.data.Decimal\",\"logicalType\":\"decimal\"}],\"default\":null},{\"name\":\"any\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"VariableScaleDecimal\",\"namespace\":\"io.debezium.data\",\"fields\":[{\"name\":\"scale\",\"type\":\"int\"},{\"name\":\"value\",\"type\":\"bytes\"}],\"connect.doc\":\"Variable scaled decimal\",\"connect.version\":1,\"connect.name\":\"io.debezium.data.VariableScaleDecimal\"}],\"default\":null,\"connect.parameters\":{\"__debezium.source.column.type\":\"numeric\"}},{\"name\":\"seen\",\"type\":[\"null\",{\"type\":\"string\",\"connect.version\":1,\"connect.parameters\":{\"__debezium.source.column.type\":\"timestamp with time zone\"},\"connect.name\":\"io.debezium.time.ZonedTimestamp\"}],\"default\":null},{\"name\":\"at\",\"type\":[\"null\",{\"type\":\"long\",\"connect.version\":1,\"connect.parameters\":{\"__debezium.source.column.type\":\"timestamp(3) without time zone\"},\"connect.name\":\"io.debezium.time.Timestamp\"}],\"default\":null},{\"name\":\"day\",\"type\":[\"null\",{\"type\":\"int\",\"connect.version\":1,\"connect.parameters\":{\"__debezium.source.column.type\":\"date\"},\"connect.name\":\"io.debezium.time.Date\"}],\"default\":null},{\"name\":\"kind\",\"type\":[\"null\",{\"type\":\"string\",\"connect.version\":1,\"connect.parameters\":{\"allowed\":\"gold,silver\",\"__debezium.source.column.type\":\"kind\"},\"connect.name\":\"io.debezium.data.Enum\"}],\"default\":null},{\"name\":\"lasts\",\"type\":[\"null\",{\"type\":\"long\",\"connect.version\":1,\"connect.parameters\":{\"__debezium.source.column.type\":\"interval\"},\"connect.name\":\"io.debezium.time.MicroDuration\"}],\"default\":null},{\"name\":\"tags\",\"type\":[\"null\",{\"type\":\"array\",\"items\":[\"null\",{\"type\":\"string\"}],\"connect.parameters\":{\"__debezium.source.column.type\":\"text[]\"}}],\"default\":null}],\"connect.name\":\"shop.public.tariff.Value\"}],\"default\":null},{\"name\":\"after\",\"type\":[\"null\",\"Value\"],\"default\":null},{\"name\":\"source\",\"type\":{\"type\":\"record\",\"name\":\"Source\",\"namespace\":\"io.debezium.connector.postgresql\",\"fields\":[{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"connector\",\"type\":\"string\"},{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"ts_ms\",\"type\":\"long\"},{\"name\":\"snapshot\",\"type\":[{\"type\":\"string\",\"connect.version\":1,\"connect.parameters\":{\"allowed\":\"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental\"},\"connect.default\":\"false\",\"connect.name\":\"io.debezium.data.Enum\"},\"null\"],\"default\":\"false\"},{\"name\":\"db\",\"type\":\"string\"},{\"name\":\"sequence\",\"type\":[\"null\",\"string\"],\"default\":null},{\"name\":\"ts_us\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"ts_ns\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"schema\",\"type\":\"string\"},{\"name\":\"table\",\"type\":\"string\"},{\"name\":\"txId\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"lsn\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"xmin\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"origin\",\"type\":[\"null\",\"string\"],\"default\":null},{\"name\":\"origin_lsn\",\"type\":[\"null\",\"long\"],\"default\":null}],\"connect.version\":1,\"connect.name\":\"io.debezium.connector.postgresql.Source\"}},{\"name\":\"transaction\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"block\",\"namespace\":\"event\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"total_order\",\"type\":\"long\"},{\"name\":\"data_collection_order\",\"type\":\"long\"}],\"connect.version\":1,\"connect.name\":\"event.block\"}],\"default\":null},{\"name\":\"op\",\"type\":\"string\"},{\"name\":\"ts_ms\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"ts_us\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"ts_ns\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"unchanged\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"string\"}],\"default\":null},{\"name\":\"exact\",\"type\":[\"null\",{\"type\":\"map\",\"values\":\"string\"}],\"default\":null}],\"tailrace.identity\":\"key\",\"connect.version\":2,\"connect.name\":\"shop.public.tariff.Envelope\"}" },
	{ "BEGIN",
		"00000000020a424547494e183737313a32333435363738390000e8a7d5edee6600000002b488bfe288d2a306",
		"" },
	{ "BEGIN's key",
		"0000000001183737313a3233343536373839",
		"" },
	{ "END",
		"000000000206454e44183737313a3233343536373839020802021a7075626c69632e7461726966660800e8a7d5edee6602183737303a32333435303030300224706f737467726573716c3a373a313a63726d020a02b488bfe288d2a306",
		"" },
	{ "heartbeat",
		"0000000004fea7d5edee6602b0b0c0e288d2a3060288b2af16",
		"" },
	{ "heartbeat's key",
		"00000000030873686f70",
		"" },
	{ "position",
		"000000000624706f737467726573716c3a373a313a63726d183737313a3233343536373839aab0af1688b2af160ab0b0c0e288d2a306",
		"" },
	{ "position's key",
		"00000000050873686f70",
		"" },
};

#endif
