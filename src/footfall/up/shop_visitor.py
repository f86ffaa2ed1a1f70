"""One customer of the demo's shop: who it is, and the items that its moves become.

Decides identifiers, device, network and channel from the customer's own dice, and keeps what is in
its cart, so that orders state what was put in. Reads no clock: `now_s` is the customer's instant,
in seconds from the opening. Must never send.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any, NamedTuple

PRODUCTS = (
    ("p-101", "Coffee beans 1 kg", "18.90"), ("p-102", "Espresso cups, 4", "24.00"),
    ("p-103", "Milk jug", "15.50"), ("p-104", "Grinder", "129.00"),
    ("p-105", "Paper filters", "4.20"), ("p-106", "Kettle", "64.95"),
    ("p-107", "Tea, 20 bags", "3.80"), ("p-108", "Mug", "9.90"),
)
CURRENCIES = ("EUR", "EUR", "EUR", "USD")
#: Channel, `context.device.type`, `context.os.name`.
DEVICES = (
    ("web", "desktop", "Windows"), ("web", "desktop", "macOS"), ("web", "mobile", "Android"),
    ("web", "tablet", "iPadOS"), ("app", "mobile", "iOS"), ("app", "mobile", "Android"),
)
#: A cart is left so long after its time to be sure that the trigger comes: grace and transport.
TOLD_S_MAX = 3.0

Item = dict[str, Any]


class Action(NamedTuple):
    """One item of /v1/batch. `at_s`: when it is sent, `when_s`: when it happened, both in seconds
    from the opening; what happened before it (history from the till) is below 0. `left`: the cart
    that is left alone from here on, and long enough. `recovered`: the one ordered after that.
    """

    at_s: float
    when_s: float
    item: Item
    left: str = ""
    recovered: str = ""


def stamped(action: Action, opening_ms: int) -> Item:
    """The item with the instant at which it happened, of a shop that opened then."""
    return {**action.item, "timestamp": opening_ms + round(action.when_s * 1000)}


class Hours(NamedTuple):
    """The shop's times, in seconds. `idle_s`: a cart left alone so long is abandoned; `pace_s`: the
    longest pause between two moves; `last_s`: a cart that is left by then is told before the end.
    """

    idle_s: float
    pace_s: float
    last_s: float


class Visitor:
    """One customer."""

    def __init__(self, dice: random.Random, number: int, now_s: float, hours: Hours) -> None:
        self.dice = dice
        self.now_s = now_s
        self.hours = hours
        self.actions: list[Action] = []
        self._name = f"{number:05}"
        self._currency = dice.choice(CURRENCIES)
        self._is_known = False
        self._devices = 0
        self._carts = 0
        self._lines: list[Item] = []
        self._was_left = False
        self.take_device()

    @property
    def cart_id(self) -> str:
        """The cart of this visit."""
        return f"cart-{self._name}-{self._carts}"

    @property
    def order_id(self) -> str:
        """The order that this visit may become."""
        return f"order-{self._name}-{self._carts}"

    def take_device(self) -> None:
        """Another device on another network from now on."""
        self._devices += 1
        self._channel, kind, system = self.dice.choice(DEVICES)
        self._browser = f"browser-{self._name}-{self._devices}"
        address = ".".join(str(self.dice.randint(1, 250)) for _ in range(3))
        self._context = {"device": {"id": f"device-{self._name}-{self._devices}", "type": kind},
                         "os": {"name": system}, "ip": f"10.{address}"}

    def wait(self, seconds: float) -> None:
        """Nothing for so long."""
        self.now_s += seconds

    def has_time(self, seconds: float) -> bool:
        """Whether so much later is still before `last_s`."""
        return self.now_s + seconds < self.hours.last_s

    # -- moves -------------------------------------------------------------------------------------

    def look(self, pages: int) -> None:
        """Pages of a web shop or screens of an app, and products."""
        for _ in range(pages):
            self._act({"type": "screen" if self._channel == "app" else "page",
                       "name": self.dice.choice(("Home", "Coffee", "Sale", "Basket", "About us"))})
            if self.dice.random() < 0.5:
                self.track("Product Viewed", **self._product())

    def sign_in(self) -> None:
        """From now on its moves name the user."""
        self._is_known = True
        self._act({"type": "identify", "traits": {"plan": self.dice.choice(("free", "club"))}})

    def fill_cart(self, products: int) -> None:
        """A new cart; now and then something is taken out again."""
        self._carts += 1
        self._lines, self._was_left = [], False
        for _ in range(products):
            line = {**self._product(), "quantity": self.dice.randint(1, 2)}
            self.track("Product Added", **line, cart_id=self.cart_id)
            if line["product_id"] not in {known["product_id"] for known in self._lines}:
                self._lines.append(line)
            else:
                self.track("Product Removed", **line, cart_id=self.cart_id)
        if len(self._lines) > 1 and self.dice.random() < 0.25:
            self.track("Product Removed", **self._lines.pop(), cart_id=self.cart_id)

    def leave(self) -> None:
        """Leave the cart alone, with its last move."""
        if self.now_s < self.hours.last_s:
            self.actions[-1] = self.actions[-1]._replace(left=self.cart_id)
            self._was_left = True

    def check_out(self) -> None:
        """Pay, and order what is in the cart."""
        self.track("Checkout Started", order_id=self.order_id, cart_id=self.cart_id)
        self.track("Payment Info Entered", order_id=self.order_id,
                   card_fingerprint=f"card-{self._name}")
        self.order()

    def order(self, times: int = 1) -> None:
        """What is in the cart, `times` as many of each."""
        lines = [{**line, "quantity": line["quantity"] * times} for line in self._lines]
        total = sum(Decimal(line["price"]) * line["quantity"] for line in lines)
        self.track("Order Completed", order_id=self.order_id, cart_id=self.cart_id,
                   total=str(total), currency=self._currency, products=lines)
        if self._was_left:
            self.actions[-1] = self.actions[-1]._replace(recovered=self.cart_id)
        self._was_left = False

    def send_back(self) -> None:
        """Of the last order, its first line."""
        line = self._lines[0]
        amount = Decimal(line["price"]) * line["quantity"]
        self.track("Order Refunded", order_id=self.order_id, total=str(amount),
                   currency=self._currency)

    def track(self, event: str, **properties: Any) -> None:
        """A tracked event of the shop."""
        self._act({"type": "track", "event": event, "properties": properties})

    def bought_before(self, days: int) -> None:
        """A visit and an order on each of so many days before, on the web or in the street: told by
        the till when the customer arrives.
        """
        self._is_known = True
        for day in sorted(self.dice.sample(range(1, 29), days), reverse=True):
            self._carts += 1
            when_s = self.now_s - 86_400 * day
            product = self._product()
            self._act({"type": "page", "name": "Coffee"}, when_s)
            self._act({"type": "track", "event": "Order Completed",
                       "channel": self.dice.choice((self._channel, "store")),
                       "properties": {"order_id": self.order_id, "total": product["price"],
                                      "currency": self._currency,
                                      "products": [{**product, "quantity": 1}]}}, when_s + 60)

    def _act(self, item: Item, when_s: float | None = None) -> None:
        if when_s is None:
            self.now_s += self.dice.uniform(0.2, 1) * self.hours.pace_s
        said: Item = {"messageId": f"m-{self._name}-{len(self.actions):03}",
                      "channel": self._channel, "context": self._context,
                      "anonymousId": self._browser, **item}
        if self._is_known:
            said["userId"] = f"customer-{self._name}"
        self.actions.append(Action(self.now_s, self.now_s if when_s is None else when_s, said))

    def _product(self) -> Item:
        product_id, name, price = self.dice.choice(PRODUCTS)
        return {"product_id": product_id, "name": name, "price": price, "currency": self._currency}
