"""What customers of the demo's shop do: look, buy, leave, come back, and now and then cheat.

Each journey is a function of one visitor, whose dice decide the rest. The cheats are those that the
table `risk` knows: cards tried out one after another (OWASP OAT-001), and an account that somebody
else has got into (OAT-007, OAT-008). Must never take longer than `MOVES_MAX` moves at a stretch.
"""

from __future__ import annotations

from collections.abc import Callable

from footfall.up.shop_visitor import TOLD_S_MAX, Visitor

#: Moves of one visit, at most; a customer who comes again makes as many once more.
MOVES_MAX = 32
#: All that one customer sends, history included, at most.
ACTIONS_MAX = 2 * MOVES_MAX + 60
#: On average, over all journeys: how many customers a bound on records allows for.
ACTIONS_MEAN = 16

Journey = Callable[[Visitor], None]


def looker(visitor: Visitor) -> None:
    """Looks around and goes, without a name."""
    visitor.look(visitor.dice.randint(2, 6))


def buyer(visitor: Visitor) -> None:
    """Orders; some send something back, some come again."""
    _buy(visitor)
    if visitor.dice.random() < 0.2:
        visitor.send_back()
    if visitor.dice.random() < 0.25:
        again_s = visitor.dice.uniform(4, 10) * visitor.hours.idle_s
        if visitor.has_time(again_s + MOVES_MAX):
            visitor.wait(again_s)
            _buy(visitor)


def leaver(visitor: Visitor) -> None:
    """Leaves a full cart; some come back and order it after all."""
    _arrive(visitor)
    visitor.fill_cart(visitor.dice.randint(1, 3))
    visitor.leave()
    back_s = visitor.hours.idle_s + TOLD_S_MAX
    if visitor.dice.random() < 0.4 and visitor.has_time(back_s + TOLD_S_MAX):
        visitor.wait(back_s)
        visitor.order()


def regular(visitor: Visitor) -> None:
    """Has bought for weeks, and does what others do."""
    visitor.bought_before(visitor.dice.randint(4, 20))
    visitor.dice.choice((buyer, buyer, leaver))(visitor)


def card_tester(visitor: Visitor) -> None:
    """Tries card after card on a small order, within seconds."""
    visitor.sign_in()
    visitor.fill_cart(1)
    for card in range(visitor.dice.randint(6, 9)):
        visitor.track("Payment Failed", order_id=visitor.order_id,
                      card_fingerprint=f"{visitor.order_id}-card-{card}")
    visitor.leave()


def intruder(visitor: Visitor) -> None:
    """Guesses the password of a regular customer, then orders far more than that one ever did."""
    visitor.bought_before(visitor.dice.randint(4, 8))
    visitor.take_device()
    for _ in range(visitor.dice.randint(10, 14)):
        visitor.track("Login Failed")
    visitor.sign_in()
    visitor.fill_cart(2)
    visitor.order(times=20)


#: Journey -> its share of the customers.
HONEST: dict[Journey, int] = {looker: 25, buyer: 35, leaver: 26, regular: 14}
CHEATS: tuple[Journey, ...] = (card_tester, intruder)


def _arrive(visitor: Visitor) -> None:
    visitor.look(visitor.dice.randint(1, 3))
    visitor.sign_in()


def _buy(visitor: Visitor) -> None:
    _arrive(visitor)
    visitor.fill_cart(visitor.dice.randint(1, 3))
    if visitor.dice.random() < 0.3:
        visitor.track("Coupon Applied", coupon=visitor.dice.choice(("SPRING", "CLUB10")))
    if visitor.dice.random() < 0.1:
        visitor.track("Payment Failed", order_id=visitor.order_id)
    visitor.check_out()
