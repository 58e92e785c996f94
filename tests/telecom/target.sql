-- The CRM's copy: its own schema, the customer's name in a column of another name, no birth date.
-- It has the same foreign keys and unique constraints, so that an order or a tear would be refused.
CREATE SCHEMA crm;
CREATE TYPE crm.customer_status AS ENUM ('initialized', 'validated', 'active', 'suspended', 'closed');

CREATE TABLE crm.customer (
	id bigint PRIMARY KEY,
	full_name text NOT NULL,
	status crm.customer_status NOT NULL,
	status_reason text,
	vip boolean NOT NULL,
	external_id uuid NOT NULL,
	credit_limit numeric(12,2),
	credit_score smallint,
	churn_risk real,
	open_tickets integer NOT NULL,
	characteristic jsonb,
	created_at timestamptz NOT NULL,
	last_modified timestamp NOT NULL
);
CREATE TABLE crm.contact_medium (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES crm.customer,
	medium text NOT NULL,
	address text NOT NULL,
	preferred boolean NOT NULL,
	reachable_from time,
	tags text[]
);
CREATE TABLE crm.billing_account (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES crm.customer,
	account_no char(12) NOT NULL UNIQUE,
	state text NOT NULL,
	balance numeric(14,2) NOT NULL,
	rating numeric,
	bill_cycle_day smallint NOT NULL,
	last_modified timestamptz NOT NULL
);
CREATE TABLE crm.product (
	id uuid PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES crm.customer,
	billing_account_id bigint NOT NULL REFERENCES crm.billing_account,
	name text NOT NULL,
	status text NOT NULL,
	start_date date NOT NULL,
	termination_date date,
	monthly_price numeric(10,2) NOT NULL,
	usage_ratio double precision,
	characteristic json
);
CREATE TABLE crm.party_interaction (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES crm.customer,
	direction text NOT NULL,
	channel text NOT NULL,
	reason text,
	interaction_date timestamptz NOT NULL,
	transcript text,
	recording bytea,
	seconds_to_answer integer[]
);
CREATE TABLE crm.trouble_ticket (
	customer_id bigint NOT NULL REFERENCES crm.customer,
	ticket_no integer NOT NULL,
	severity text NOT NULL,
	ticket_type text NOT NULL,
	status text NOT NULL,
	description text NOT NULL,
	resolution_date timestamp(3),
	PRIMARY KEY (customer_id, ticket_no)
);
CREATE TABLE crm.audit_trail (
	at timestamptz NOT NULL,
	agent text NOT NULL,
	action text NOT NULL,
	customer_id bigint
);
