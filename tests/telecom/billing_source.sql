-- The billing database of the example, MariaDB, in TM Forum's terms (TMF678 customer bill, TMF676 payment). The amounts are connected, and
-- each statement below holds in every committed state; readers of the ERP check them while the load runs:
--   customer_bill.amount_due       = sum of its rates' tax_included_amount
--   customer_bill.remaining_amount = amount_due - sum of its allocations, and never below zero
--   payment.amount                >= sum of its allocations + sum of its refunds
-- No foreign key cascades: MariaDB does not log the rows that a cascade changes.
CREATE DATABASE billing CHARACTER SET utf8mb4;
USE billing;

CREATE TABLE customer_bill (
	id bigint unsigned NOT NULL PRIMARY KEY,
	bill_no varchar(20) CHARACTER SET ascii NOT NULL UNIQUE,
	customer_id bigint NOT NULL,
	category enum('normal', 'duplicate', 'last', 'trial') NOT NULL,
	run_type enum('onCycle', 'offCycle') NOT NULL,
	state enum('new', 'onHold', 'validated', 'sent', 'partiallyPaid', 'settled') NOT NULL,
	currency char(3) CHARACTER SET ascii NOT NULL,
	amount_due decimal(14,2) NOT NULL,
	remaining_amount decimal(14,2) NOT NULL CHECK (remaining_amount >= 0),
	tax_rate decimal(5,4) NOT NULL,
	bill_date date NOT NULL,
	payment_due_date date NULL,
	billing_year year NOT NULL,
	delivery set('email', 'post', 'portal') NOT NULL,
	dunning_level tinyint unsigned NOT NULL DEFAULT 0,
	print_flags bit(4) NOT NULL DEFAULT 0,
	bill_document mediumblob NULL,
	characteristic json NULL,
	created_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
	last_update datetime(6) NOT NULL,
	KEY customer (customer_id)
);
CREATE TABLE applied_customer_billing_rate (
	bill_id bigint unsigned NOT NULL,
	rate_no int unsigned NOT NULL,
	rate_type enum('appliedBillingCharge', 'appliedBillingCredit') NOT NULL,
	name varchar(80) CHARACTER SET latin1 NOT NULL,
	description text NULL,
	is_billed boolean NOT NULL,
	tax_excluded_amount decimal(14,4) NOT NULL,
	tax_included_amount decimal(14,2) NOT NULL,
	period_start datetime NULL,
	period_end datetime NULL,
	usage_bytes bigint unsigned NULL,
	usage_time time(3) NULL,
	unit_price double NULL,
	PRIMARY KEY (bill_id, rate_no),
	FOREIGN KEY (bill_id) REFERENCES customer_bill (id)
);
CREATE TABLE payment (
	id bigint unsigned NOT NULL PRIMARY KEY,
	customer_id bigint NOT NULL,
	correlator_id uuid NOT NULL,
	payment_method enum('bankTransfer', 'creditCard', 'directDebit', 'cash') NOT NULL,
	status enum('initialized', 'done', 'refunded') NOT NULL,
	currency char(3) CHARACTER SET ascii NOT NULL,
	amount decimal(14,2) NOT NULL,
	payment_date datetime(6) NOT NULL,
	payer_note varchar(140) NULL
);
CREATE TABLE payment_allocation (
	payment_id bigint unsigned NOT NULL,
	allocation_no smallint unsigned NOT NULL,
	bill_id bigint unsigned NOT NULL,
	amount decimal(14,2) NOT NULL,
	allocated_at datetime(6) NOT NULL,
	PRIMARY KEY (payment_id, allocation_no),
	FOREIGN KEY (payment_id) REFERENCES payment (id),
	FOREIGN KEY (bill_id) REFERENCES customer_bill (id)
);
CREATE TABLE refund (
	id bigint unsigned NOT NULL PRIMARY KEY,
	payment_id bigint unsigned NOT NULL,
	amount decimal(14,2) NOT NULL,
	reason varchar(80) NULL,
	refund_date date NOT NULL,
	FOREIGN KEY (payment_id) REFERENCES payment (id)
);
-- No key: what is drained and what is done to draft bills stands here.
CREATE TABLE billing_log (
	at datetime(6) NOT NULL,
	agent varchar(40) NOT NULL,
	action varchar(80) NOT NULL,
	bill_id bigint unsigned NULL
);
