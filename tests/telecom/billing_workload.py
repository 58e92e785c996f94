"""A billing department's work on the billing database (MariaDB): invoice runs, payment runs, credit notes, refunds, drafts cancelled.

Each worker is a thread with its own connection, its own customers and its own range of ids, so that workers never meet. It remembers
what it did, in cents, and not what the database says: so the database, the ERP and this memory are three witnesses.
The journal's lines (workers.py); a transaction's name is its GTID, which the server gives at the commit:
    {"intent": "billing-1/17"}                                                 the transaction is about to commit
    {"committed": "0-1-77", "of": "billing-1/17", "rows": {table: n}}          a moved key counts two row events
    {"rolled_back": "billing-1/17"}
An intent that nobody answered stands for one transaction at most, whose GTID nobody knows.
"""
import datetime
import decimal
import json
import uuid

import pymysql

from telecom import workers

WORDS = "flat roaming café Überweisung señal discount data voice SMS router rental activation".split()
NOTES = WORDS + ["通話", "привет", "🎉", "it's \"quoted\"", "tab\there", "back\\slash"]
SERVER_GOES = (1040, 1053, 1077, 1079, 1158, 1159, 1160, 1161, 1927)  # shut down, or the session killed
TAX = decimal.Decimal("0.1900")
DRAFT, OPEN = ("new", "onHold", "validated"), ("sent", "partiallyPaid")


class Bill:
    """What a worker knows of a bill; amounts in cents."""

    def __init__(self, state, rates):
        self.state, self.rates = state, rates  # rates: number -> cents
        self.paid = 0

    @property
    def due(self):
        return sum(self.rates.values())

    @property
    def remaining(self):
        return self.due - self.paid


class Payment:
    def __init__(self, amount):
        self.amount, self.allocated, self.refunded, self.allocations = amount, 0, 0, 0

    @property
    def rest(self):
        return self.amount - self.allocated - self.refunded


def money(cents):
    return decimal.Decimal(cents) / 100


class Worker(workers.Worker):
    """One clerk. Works on copies of what it knows, which count once the server has said that it committed."""

    vocabulary = NOTES
    recoverable = (pymysql.err.OperationalError, pymysql.err.InterfaceError, ConnectionError)

    def __init__(self, number, connect, journal, stop, pace, seed):
        super().__init__(f"billing-{number}", f"billing/{seed}/{number}", journal, stop, pace)
        self.open = connect
        # Ids beyond 2^63 are ids too.
        self.next_id = (seed * 10 + number) * 10**6 + (2**63 if number % 2 == 0 else 0)
        self.bills, self.payments = {}, {}
        self.transactions = 0

    # ---- one transaction ----
    def connect(self):
        conn = self.open()
        conn.autocommit(False)
        return conn

    def recover(self, error):
        number = error.args[0] if error.args else 0
        if number in (1205, 1213):  # lock wait, deadlock
            self.conn.rollback()
            return
        if isinstance(number, int) and 1000 < number < 2000 and number not in SERVER_GOES:
            raise error
        # The server went away; what was under way is unknown, and so is every bill that it was about.
        self.conn, self.bills, self.payments = None, {}, {}
        self.stopping.wait(0.2)

    def transaction(self, conn, work):
        self.rows = {}
        self.transactions += 1
        name = f"{self.name}/{self.transactions}"
        with conn.cursor() as cursor:
            remember = work(cursor)
            if remember is None:
                conn.rollback()
                self.journal.write(rolled_back=name)
                return
            self.journal.write(intent=name)
            conn.commit()
            cursor.execute("SELECT @@last_gtid")
            self.journal.write(committed=cursor.fetchone()[0], of=name, rows=self.rows)
        remember()

    def write(self, cursor, table, sql, *parameters, moved=False):
        """One statement; the rows that it changed are the row events that it makes."""
        rows = cursor.execute(sql, parameters)
        if rows:
            name = f"billing.{table}"
            self.rows[name] = self.rows.get(name, 0) + rows * (2 if moved else 1)
        return rows

    # ---- what a billing department does ----
    def choose(self):
        if len(self.bills) < 10:
            return self.invoice
        works = [(self.invoice, 26), (self.release, 20), (self.pay, 24), (self.pay_in_advance, 5), (self.allocate_rest, 5),
                 (self.credit, 6), (self.give_back, 4), (self.cancel_draft, 4), (self.merge_drafts, 3), (self.hold, 4),
                 (self.dun, 2), (self.think_again, 3), (self.file_away, 1), (self.forget, 3 if len(self.bills) > 300 else 0)]
        return self.random.choices([w for w, _ in works], [n for _, n in works])[0]

    def some_bills(self, states, most):
        found = [number for number, bill in self.bills.items() if bill.state in states]
        return self.random.sample(found, min(len(found), self.random.randint(1, most)))

    def log(self, cursor, action, bill=None):
        self.write(cursor, "billing_log", "INSERT INTO billing_log VALUES (now(6), %s, %s, %s)", self.name, action, bill)

    def insert_rates(self, cursor, number, cents):
        """cents: rate number -> amount. One statement, as a biller's bulk insert."""
        r, rows = self.random, []
        for rate, amount in cents.items():
            start = datetime.datetime(2026, r.randint(1, 12), 1)
            rows.append((number, rate, "appliedBillingCharge" if amount >= 0 else "appliedBillingCredit", self.words(2, WORDS),
                         r.choice([None, self.words(8)]), r.random() < 0.9, money(amount) / (1 + TAX), money(amount),
                         r.choice([None, start]), r.choice([None, start + datetime.timedelta(days=30, seconds=-1)]),
                         r.choice([None, r.getrandbits(64)]),
                         r.choice([None, f"{r.randint(0, 800)}:{r.randint(0, 59):02}:{r.randint(0, 59):02}.{r.randint(0, 999):03}"]),
                         r.choice([None, r.random() * 10**r.randint(-20, 20)])))
        marks = ", ".join(["(" + ", ".join(["%s"] * 13) + ")"] * len(rows))
        self.write(cursor, "applied_customer_billing_rate", f"INSERT INTO applied_customer_billing_rate VALUES {marks}",
                   *[value for row in rows for value in row])

    def invoice(self, cursor):
        """A bill with its rates: 2 to 50 rows."""
        r, number = self.random, self.new_number()
        rates = {rate: r.randrange(1, 50_00) for rate in range(1, 1 + min(49, 1 + int(r.expovariate(1 / 8))))}
        bill = Bill("new", rates)
        self.write(cursor, "customer_bill",
                   "INSERT INTO customer_bill VALUES (%s, %s, %s, %s, 'onCycle', 'new', 'EUR', %s, %s, %s, current_date, NULL, %s, %s, 0,"
                   " %s, %s, %s, now(6), now(6))",
                   number, f"B{number:019d}", r.randrange(10**6), r.choice(["normal", "last", "trial"]), money(bill.due),
                   money(bill.due), TAX, r.choice([2026, 2027, 0]), r.choice(["email", "post,portal", "email,post,portal", ""]),
                   r.randrange(16), r.choice([None, r.randbytes(r.randrange(200))]),
                   json.dumps({"cycle": r.randrange(31), "note": self.words(2)}, ensure_ascii=False))
        self.insert_rates(cursor, number, rates)
        return lambda: self.bills.__setitem__(number, bill)

    def set_state(self, cursor, numbers, state, more=""):
        marks = ", ".join(["%s"] * len(numbers))
        self.write(cursor, "customer_bill", f"UPDATE customer_bill SET state = %s, last_update = now(6){more} WHERE id IN ({marks})",
                   state, *numbers)

    def release(self, cursor):
        """Drafts go out: each is validated and sent in one transaction."""
        numbers = self.some_bills(("new", "validated"), 10)
        if not numbers:
            return self.invoice(cursor)
        self.set_state(cursor, numbers, "validated")
        self.set_state(cursor, numbers, "sent", ", payment_due_date = current_date + INTERVAL 14 DAY")
        return lambda: [setattr(self.bills[number], "state", "sent") for number in numbers]

    def hold(self, cursor):
        numbers = self.some_bills(("new", "onHold"), 3)
        if not numbers:
            return self.invoice(cursor)
        state = self.random.choice(["new", "onHold"])
        self.set_state(cursor, numbers, state)
        return lambda: [setattr(self.bills[number], "state", state) for number in numbers]

    def insert_payment(self, cursor, cents):
        r, number = self.random, self.new_number()
        self.write(cursor, "payment", "INSERT INTO payment VALUES (%s, %s, %s, %s, 'done', 'EUR', %s, now(6), %s)",
                   number, r.randrange(10**6), str(uuid.UUID(int=r.getrandbits(128), version=4)),
                   r.choice(["bankTransfer", "creditCard", "directDebit", "cash"]), money(cents), r.choice([None, self.words(6)]))
        return number, Payment(cents)

    def settle(self, cursor, number, payment, shares):
        """Allocates cents of a payment to bills, which are settled, or paid in part. Returns what to remember."""
        changes = []
        for no, (bill_number, cents) in enumerate(shares.items(), payment.allocations + 1):
            bill = self.bills[bill_number]
            left = bill.remaining - cents
            state = "settled" if left == 0 else "partiallyPaid"
            self.write(cursor, "payment_allocation", "INSERT INTO payment_allocation VALUES (%s, %s, %s, %s, now(6))",
                       number, no, bill_number, money(cents))
            self.write(cursor, "customer_bill", "UPDATE customer_bill SET remaining_amount = remaining_amount - %s, state = %s,"
                       " last_update = now(6) WHERE id = %s", money(cents), state, bill_number)
            changes.append((bill, cents, state))

        def remember():
            payment.allocations += len(changes)
            for bill, cents, state in changes:
                payment.allocated += cents
                bill.paid += cents
                bill.state = state
        return remember

    def shares(self, numbers):
        """What is paid of each of these bills: mostly all of it."""
        return {number: self.bills[number].remaining if self.random.random() < 0.7 else
                self.random.randint(1, self.bills[number].remaining) for number in numbers}

    def pay(self, cursor):
        """A payment that settles bills, or a part of them; one in five is more than they are."""
        numbers = [number for number in self.some_bills(OPEN, 8) if self.bills[number].remaining > 0]
        if not numbers:
            return self.release(cursor)
        shares = self.shares(numbers)
        number, payment = self.insert_payment(cursor, sum(shares.values()) + self.random.choice([0, 0, 0, 0, 10_00]))
        settle = self.settle(cursor, number, payment, shares)

        def remember():
            self.payments[number] = payment
            settle()
        return remember

    def pay_in_advance(self, cursor):
        number, payment = self.insert_payment(cursor, self.random.randrange(1, 100_00))
        return lambda: self.payments.__setitem__(number, payment)

    def payments_with_rest(self):
        return [number for number, payment in self.payments.items() if payment.rest > 0]

    def allocate_rest(self, cursor):
        numbers = [number for number in self.some_bills(OPEN, 1) if self.bills[number].remaining > 0]
        payments = self.payments_with_rest()
        if not numbers or not payments:
            return self.pay_in_advance(cursor)
        number = self.random.choice(payments)
        payment = self.payments[number]
        return self.settle(cursor, number, payment, {numbers[0]: min(payment.rest, self.bills[numbers[0]].remaining)})

    def give_back(self, cursor):
        """What a payment was too much goes back."""
        payments = self.payments_with_rest()
        if not payments:
            return self.pay_in_advance(cursor)
        number = self.random.choice(payments)
        payment = self.payments[number]
        cents = payment.rest if self.random.random() < 0.5 else self.random.randint(1, payment.rest)
        self.write(cursor, "refund", "INSERT INTO refund VALUES (%s, %s, %s, %s, current_date)", self.new_number(), number,
                   money(cents), self.random.choice([None, self.words(3)]))
        self.write(cursor, "payment", "UPDATE payment SET status = 'refunded' WHERE id = %s", number)

        def remember():
            payment.refunded += cents
        return remember

    def credit(self, cursor):
        """A credit note: a negative rate on an open bill, up to what remains of it."""
        numbers = [number for number in self.some_bills(OPEN, 1) if self.bills[number].remaining > 0]
        if not numbers:
            return self.release(cursor)
        number = numbers[0]
        bill = self.bills[number]
        cents = self.random.randint(1, bill.remaining)
        rate = max(bill.rates) + 1
        state = "settled" if cents == bill.remaining else bill.state
        self.insert_rates(cursor, number, {rate: -cents})
        self.write(cursor, "customer_bill", "UPDATE customer_bill SET amount_due = amount_due - %s, remaining_amount = remaining_amount - %s,"
                   " state = %s, last_update = now(6) WHERE id = %s", money(cents), money(cents), state, number)

        def remember():
            bill.rates[rate] = -cents
            bill.state = state
        return remember

    def delete_draft(self, cursor, number):
        self.write(cursor, "applied_customer_billing_rate", "DELETE FROM applied_customer_billing_rate WHERE bill_id = %s", number)
        self.write(cursor, "customer_bill", "DELETE FROM customer_bill WHERE id = %s", number)
        self.log(cursor, "cancelDraft", number)

    def cancel_draft(self, cursor):
        numbers = self.some_bills(DRAFT, 1)
        if not numbers:
            return self.invoice(cursor)
        self.delete_draft(cursor, numbers[0])
        return lambda: self.bills.pop(numbers[0])

    def merge_drafts(self, cursor):
        """The rates of a draft move to another, which changes their keys; the empty one goes."""
        numbers = self.some_bills(("new",), 10)
        if len(numbers) < 2:
            return self.invoice(cursor)
        into, gone = numbers[:2]
        shift = max(self.bills[into].rates)
        moved = {rate + shift: cents for rate, cents in self.bills[gone].rates.items()}
        if len(moved) > 20:
            return self.invoice(cursor)
        self.write(cursor, "applied_customer_billing_rate", "UPDATE applied_customer_billing_rate SET bill_id = %s, rate_no = rate_no + %s"
                   " WHERE bill_id = %s", into, shift, gone, moved=True)
        self.write(cursor, "customer_bill", "UPDATE customer_bill SET amount_due = amount_due + %s, remaining_amount = remaining_amount + %s,"
                   " last_update = now(6) WHERE id = %s", *[money(self.bills[gone].due)] * 2, into)
        self.delete_draft(cursor, gone)

        def remember():
            self.bills[into].rates.update(moved)
            del self.bills[gone]
        return remember

    def dun(self, cursor):
        """Up to 50 rows: the open bills get a reminder."""
        numbers = self.some_bills(OPEN, 50)
        if not numbers:
            return self.release(cursor)
        self.write(cursor, "customer_bill", "UPDATE customer_bill SET dunning_level = least(dunning_level + 1, 255), last_update = now(6)"
                   f" WHERE id IN ({', '.join(['%s'] * len(numbers))})", *numbers)
        self.log(cursor, "dunning")
        return lambda: None

    def think_again(self, cursor):
        self.invoice(cursor)
        return None  # rolled back: must never be seen anywhere

    def file_away(self, cursor):
        self.write(cursor, "billing_log", "DELETE FROM billing_log WHERE agent = %s AND action = 'cancelDraft' LIMIT 40", self.name)
        self.log(cursor, "fileAway")
        return lambda: None

    def forget(self, cursor):
        """Settled bills stay in the database; the clerk has no more to do with them."""
        self.log(cursor, "closeBooks")
        return lambda: [self.bills.pop(number) for number in [n for n, bill in self.bills.items() if bill.state == "settled"]]


class Workload(workers.Workload):
    """connect: gives a PyMySQL connection."""

    worker = Worker

    def __init__(self, connect, journal_path, workers=2, rate=100, seed=1):
        super().__init__(connect, journal_path, workers, rate, seed)
