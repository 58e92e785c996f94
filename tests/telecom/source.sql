-- The customer database of the example, in TM Forum's terms (TMF629, 666, 637, 683, 621).
--
-- Two sums hold in every committed state, and the checker looks at them in the target while the load runs:
--   sum(billing_account.balance) = 0                       (every transfer is two updates in one transaction)
--   sum(customer.open_tickets) = number of open trouble tickets
CREATE TYPE customer_status AS ENUM ('initialized', 'validated', 'active', 'suspended', 'closed');
CREATE TYPE medium_type AS ENUM ('email', 'phone', 'postalAddress', 'socialNetwork');

CREATE TABLE customer (
	id bigint PRIMARY KEY,
	name text NOT NULL,
	status customer_status NOT NULL,
	status_reason varchar(200),
	birth_date date,
	vip boolean NOT NULL DEFAULT false,
	external_id uuid NOT NULL,
	credit_limit numeric(12,2),
	credit_score smallint,
	churn_risk real,
	open_tickets integer NOT NULL DEFAULT 0,
	characteristic jsonb,
	created_at timestamptz NOT NULL,
	last_modified timestamp NOT NULL
);
CREATE TABLE contact_medium (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES customer,
	medium medium_type NOT NULL,
	address text NOT NULL,
	preferred boolean NOT NULL,
	reachable_from time,
	tags text[]
);
CREATE TABLE billing_account (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES customer,
	account_no char(12) NOT NULL UNIQUE,
	state text NOT NULL,
	balance numeric(14,2) NOT NULL,
	rating numeric,
	bill_cycle_day smallint NOT NULL,
	last_modified timestamptz NOT NULL
);
CREATE TABLE product (
	id uuid PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES customer,
	billing_account_id bigint NOT NULL REFERENCES billing_account,
	name text NOT NULL,
	status text NOT NULL,
	start_date date NOT NULL,
	termination_date date,
	monthly_price numeric(10,2) NOT NULL,
	usage_ratio double precision,
	characteristic json
);
CREATE TABLE party_interaction (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES customer,
	direction text NOT NULL,
	channel text NOT NULL,
	reason text,
	interaction_date timestamptz NOT NULL,
	transcript text,
	recording bytea,
	seconds_to_answer integer[]
);
CREATE TABLE trouble_ticket (
	customer_id bigint NOT NULL REFERENCES customer,
	ticket_no integer NOT NULL,
	severity text NOT NULL,
	ticket_type text NOT NULL,
	status text NOT NULL,
	description text NOT NULL,
	resolution_date timestamp(3),
	PRIMARY KEY (customer_id, ticket_no)
);
-- No key at all: a row done twice or lost cannot hide behind an upsert.
CREATE TABLE audit_trail (
	at timestamptz NOT NULL,
	agent text NOT NULL,
	action text NOT NULL,
	customer_id bigint
);
ALTER TABLE audit_trail REPLICA IDENTITY FULL;
