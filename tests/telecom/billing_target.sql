-- The ERP's copy of the billing database, PostgreSQL. docs/types.md says which type takes which; the keys and foreign keys are the source's,
-- so that an order or a tear would be refused, and the amounts are checked by readers while the load runs.
CREATE SCHEMA erp;
CREATE TYPE erp.bill_state AS ENUM ('new', 'onHold', 'validated', 'sent', 'partiallyPaid', 'settled');

CREATE TABLE erp.customer_bill (
	id numeric(20) PRIMARY KEY,
	bill_no varchar(20) NOT NULL UNIQUE,
	customer_id bigint NOT NULL,
	category text NOT NULL,
	run_type text NOT NULL,
	state erp.bill_state NOT NULL,
	currency char(3) NOT NULL,
	amount_due numeric(14,2) NOT NULL,
	remaining_amount numeric(14,2) NOT NULL CHECK (remaining_amount >= 0),
	tax_rate numeric(5,4) NOT NULL,
	bill_date date NOT NULL,
	payment_due_date date,
	billing_year smallint NOT NULL,
	delivery text[] NOT NULL,
	dunning_level smallint NOT NULL,
	print_flags bit(4) NOT NULL,
	bill_document bytea,
	characteristic jsonb,
	created_at timestamptz NOT NULL,
	last_update timestamp NOT NULL
);
CREATE TABLE erp.billing_rate (
	bill_id numeric(20) NOT NULL REFERENCES erp.customer_bill,
	rate_no bigint NOT NULL,
	rate_type text NOT NULL,
	name varchar(80) NOT NULL,
	description text,
	is_billed boolean NOT NULL,
	tax_excluded_amount numeric(14,4) NOT NULL,
	tax_included_amount numeric(14,2) NOT NULL,
	period_start timestamp(0),
	period_end timestamp(0),
	usage_bytes numeric(20),
	usage_time interval,
	unit_price double precision,
	PRIMARY KEY (bill_id, rate_no)
);
CREATE TABLE erp.payment (
	id numeric(20) PRIMARY KEY,
	customer_id bigint NOT NULL,
	correlator_id uuid NOT NULL,
	payment_method text NOT NULL,
	status text NOT NULL,
	currency char(3) NOT NULL,
	amount numeric(14,2) NOT NULL,
	payment_date timestamp NOT NULL,
	payer_note varchar(140)
);
CREATE TABLE erp.payment_allocation (
	payment_id numeric(20) NOT NULL REFERENCES erp.payment,
	allocation_no integer NOT NULL,
	bill_id numeric(20) NOT NULL REFERENCES erp.customer_bill,
	amount numeric(14,2) NOT NULL,
	allocated_at timestamp NOT NULL,
	PRIMARY KEY (payment_id, allocation_no)
);
CREATE INDEX ON erp.payment_allocation (bill_id);
CREATE TABLE erp.refund (
	id numeric(20) PRIMARY KEY,
	payment_id numeric(20) NOT NULL REFERENCES erp.payment,
	amount numeric(14,2) NOT NULL,
	reason varchar(80),
	refund_date date NOT NULL
);
CREATE INDEX ON erp.refund (payment_id);
CREATE TABLE erp.billing_log (
	at timestamp NOT NULL,
	agent varchar(40) NOT NULL,
	action varchar(80) NOT NULL,
	bill_id numeric(20)
);
CREATE INDEX ON erp.billing_log (action);
