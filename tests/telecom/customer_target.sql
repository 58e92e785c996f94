-- The billing department's copy of the customers, MariaDB: what its clerks need of the customer database. docs/types.md says which type
-- takes which. Texts keep their case apart, as PostgreSQL does. MariaDB's UUID takes only some
-- versions of UUIDs, a text all. No birth date, no contact's tags.
CREATE DATABASE crm CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE crm;

CREATE TABLE customer (
	id bigint NOT NULL PRIMARY KEY,
	full_name longtext NOT NULL,
	status enum('initialized', 'validated', 'active', 'suspended', 'closed') NOT NULL,
	status_reason varchar(200) NULL,
	vip boolean NOT NULL,
	external_id char(36) CHARACTER SET ascii NOT NULL,
	credit_limit decimal(12,2) NULL,
	credit_score smallint NULL,
	churn_risk float NULL,
	open_tickets int NOT NULL,
	characteristic json NULL,
	created_at datetime(6) NOT NULL,
	last_modified datetime(6) NOT NULL
);
CREATE TABLE contact_medium (
	id bigint NOT NULL PRIMARY KEY,
	customer_id bigint NOT NULL,
	medium enum('email', 'phone', 'postalAddress', 'socialNetwork') NOT NULL,
	address longtext NOT NULL,
	preferred boolean NOT NULL,
	reachable_from time(6) NULL,
	FOREIGN KEY (customer_id) REFERENCES customer (id)
);
CREATE TABLE billing_account (
	id bigint NOT NULL PRIMARY KEY,
	customer_id bigint NOT NULL,
	account_no char(12) NOT NULL UNIQUE,
	state longtext NOT NULL,
	balance decimal(14,2) NOT NULL,
	bill_cycle_day smallint NOT NULL,
	last_modified datetime(6) NOT NULL,
	FOREIGN KEY (customer_id) REFERENCES customer (id)
);
CREATE TABLE audit_trail (
	at datetime(6) NOT NULL,
	agent longtext NOT NULL,
	action longtext NOT NULL,
	customer_id bigint NULL
);
