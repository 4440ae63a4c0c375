"""What a call will take is told before it is made, and it is not made when the run cannot pay for it."""

from __future__ import annotations

from typing import Any

import pytest

from engine import events as ev
from engine.allowance import Allowance
from engine.cancel import CancelToken
from engine.commands import EndAttempt, Raise
from engine.config import Budget, Price, parse
from engine.errors import AttemptEnded, BudgetSpent, ConfigError
from engine.model import Outcome, Usage
from engine.providers.anthropic.forecast import CHARS_A_TOKEN, WARM_S, Estimate, Forecast
from engine.providers.anthropic.meter import LEAST_TOKENS, Meter
from engine.providers.anthropic.pricing import FREE, Rate, Tokens, below, overridden, rate
from engine.session import Steering
from tests.engine.anthropic.conftest import Make
from tests.engine.anthropic.double import Double, Say, use
from tests.engine.anthropic.kit import EDITOR, Attempt

LOOK = use("search", pattern="x")
DONE = use("finish", outcome="done", summary="s")
RATE = Rate(1.0, 5.0)


def estimates(run: Attempt) -> list[ev.CallEstimated]:
    return [e for e in run.report.events if isinstance(e, ev.CallEstimated)]


# -- prices -----------------------------------------------------------------------------------------------------------


def test_the_settings_have_the_last_word_on_a_price() -> None:
    prices = parse(
        {"prices": {"sonnet": {"input": 1.0}, "claude-sonnet-5-5": {"output": 7, "cache_read": 0.5}}}, "f"
    ).prices
    known = rate("claude-sonnet-5-5")[0]
    named = overridden("claude-sonnet-5-5", prices, known)
    assert named is not None
    assert (named.into, named.out, named.cost(Tokens(read=1_000_000))) == (known.into, 7.0, 0.5)
    assert named.cost(Tokens(written=1_000_000)) == pytest.approx(known.into * 1.25), (
        "what it leaves out is the table's"
    )
    other = overridden("claude-sonnet-4-6", prices, FREE)
    assert other is not None
    assert (other.into, other.out) == (1.0, 0.0)
    assert overridden("claude-opus-5", prices, FREE) is None


@pytest.mark.parametrize("table", [{"sonnet": {"input": -2}}, {"sonnet": {"inputs": 2}}, {"sonnet": 2}, 3])
def test_a_price_that_is_none_is_a_mistake_in_the_settings(table: object) -> None:
    with pytest.raises(ConfigError, match="prices"):
        parse({"prices": table}, "f")


def test_a_server_of_ones_own_costs_nothing_until_the_settings_say_so(double: Double, attempt: Make) -> None:
    double.script = [Say([DONE], usage={"input_tokens": 1_000_000, "output_tokens": 0})] * 2
    free, priced = attempt(), attempt(prices={"sonnet": Price(input=0.5)})
    free.run(), priced.run()
    assert (free.report.usage.usd, priced.report.usage.usd) == (0.0, 0.5)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"sonnet": {"input": 0.0}}, 'prices."sonnet"'),
        ({"claude": {"output": 1.0}}, "is less than"),
        ({"": {"input": 1.0}}, "is less than"),
        ({"claude-sonnet-5-5": {"cache_read": 0.05}}, "cache_read = 0.05 is less than sonnet-5-5 costs (0.1)"),
        ({"claude-sonnet-5.5-20260101": {"cache_write": 2.4}}, "cache_write"),
        ({"claude-sonnet-5-5": {"input": 2.0, "output": 10.0, "cache_read": 0.1, "cache_write": 2.5}}, ""),
        ({"qwen": {"input": 0.0, "output": 0.0}}, ""),
    ],
)
def test_a_price_below_the_tables_is_found(table: dict[str, Any], wrong: str) -> None:
    found = below(parse({"prices": table}, "f").prices)
    assert wrong in found
    assert bool(found) is bool(wrong)


def test_a_repository_makes_no_model_cheaper_than_it_is() -> None:
    prices = parse({"prices": {"nnet-5": {"input": 0.0, "output": 99.0}}}, "f").prices
    bounded = Meter(Budget(), Usage(), free=False, prices=prices, floor=True).rate("claude-sonnet-5-5")
    known = rate("claude-sonnet-5-5")[0]
    assert (bounded.into, bounded.out) == (known.into, 99.0)
    for tokens in (Tokens(read=10**6), Tokens(written=10**6)):
        assert bounded.cost(tokens) == pytest.approx(known.cost(tokens))
    long = Tokens(fresh=200_000)
    haiku = rate("claude-haiku-5-5")[0]
    assert Rate(haiku.into, haiku.out).at_least(haiku).cost(long) == haiku.cost(long)


def test_elsewhere_a_known_model_costs_what_it_costs_and_an_unknown_one_is_told_of() -> None:
    elsewhere = Meter(Budget(), Usage(), free=False, foreign=True, prices={"mine": Price(input=3.0)})
    assert elsewhere.rate("anthropic.claude-opus-5-v1") == rate("claude-opus-5")[0]
    assert elsewhere.rate("claude-opus-99") == rate("claude-opus-99")[0] != FREE, "early, never late"
    assert (elsewhere.rate("qwen3-coder"), elsewhere.rate("mine-7b").into) == (FREE, 3.0)
    assert "does not hold" in elsewhere.doubt("qwen3-coder")
    assert [elsewhere.doubt(model) for model in ("qwen3-coder", "mine-7b", "claude-opus-5")] == ["", "", ""]


# -- the forecast -----------------------------------------------------------------------------------------------------


def test_a_forecast_is_what_was_measured_and_what_was_added_since() -> None:
    now = [0.0]
    forecast = Forecast(clock=lambda: now[0])
    assert forecast.of(9_000).prompt == 9_000 / CHARS_A_TOKEN
    forecast.learn(9_000, Tokens(fresh=50, written=2_200, read=0, out=300))
    assert forecast.of(10_000) == Estimate(2_250 + 250, 2_200, 300)
    now[0] = WARM_S
    assert forecast.of(10_000) == Estimate(2_500, 0, 300), "the server may have let go of it"


def test_what_is_cached_is_as_old_as_the_request_that_left_it_there() -> None:
    now = [0.0]
    forecast = Forecast(clock=lambda: now[0])
    forecast.sending()
    now[0] = WARM_S - 1  # the model wrote for so long
    forecast.learn(9_000, Tokens(written=3_000, out=10))
    assert forecast.of(9_000).cached == 3_000
    now[0] += 1
    assert forecast.of(9_000).cached == 0


def test_a_shortened_conversation_is_new_to_the_server() -> None:
    forecast = Forecast(clock=lambda: 0.0)
    forecast.learn(9_000, Tokens(written=3_000, out=10))
    assert forecast.of(6_000) == Estimate(2_000, 0, 10)


def test_an_answer_without_numbers_teaches_nothing() -> None:
    forecast = Forecast(clock=lambda: 0.0)
    forecast.learn(9_000, Tokens())
    assert forecast.of(9_000).prompt == 3_000


def test_each_call_is_told_before_it_is_made(double: Double, attempt: Make) -> None:
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 4000, "cache_read_input_tokens": 0, "output_tokens": 80}
    double.script = [Say([LOOK], usage=usage), Say([DONE])]
    run = attempt(rates=RATE)
    run.run()
    kinds = [type(e) for e in run.report.events if isinstance(e, ev.CallEstimated | ev.UsageCounted)]
    assert kinds == [ev.CallEstimated, ev.UsageCounted] * 2
    first, second = estimates(run)
    assert first.cached == 0
    assert second.cached == 4000
    assert 4010 < second.tokens_in < 4400
    assert second.usd < second.most
    assert second.tokens_out == double.bodies[1]["max_tokens"] == 32000


# -- limits -----------------------------------------------------------------------------------------------------------


def meter(budget: Budget | Allowance, spent: Usage | None = None, rates: Rate | None = RATE) -> Meter:
    return Meter(budget, spent or Usage(), free=True, rates=rates)


def test_an_answer_is_asked_to_be_as_short_as_the_money_wants_it() -> None:
    allowed = meter(Budget(usd=0.1)).allow("m", Estimate(20_000, 0, 500), 32_000)
    assert allowed.tokens_out == 15_000  # 0.025 for the input at the price of writing the cache, 0.075 are left
    assert allowed.most == pytest.approx(0.1)
    shorter = meter(Budget(tokens=30_000)).allow("m", Estimate(20_000, 0, 500), 32_000)
    assert shorter.tokens_out == 10_000


def test_without_cache_marks_nothing_is_paid_for_writing_a_cache() -> None:
    allowed = meter(Budget(usd=0.1)).allow("m", Estimate(20_000, 0, 500, marked=False), 32_000)
    assert allowed.tokens_out == pytest.approx(16_000, abs=1)


def test_what_the_server_has_cached_leaves_more_for_the_answer() -> None:
    allowed = meter(Budget(usd=0.1)).allow("m", Estimate(20_000, 20_000, 500), 32_000)
    assert allowed.tokens_out == 19_600


@pytest.mark.parametrize(
    ("budget", "spent", "limit", "told"),
    [
        (Budget(usd=0.03), Usage(), "usd", r"may cost \$0\.045, and \$0\.03 of \$0\.03 are left"),
        (Budget(usd=0.5), Usage(usd=0.5), "usd", r"money is spent: \$0\.50 of \$0\.50"),
        (Budget(tokens=24_000), Usage(), "tokens", "may take 24,096 tokens, and 24,000 of 24,000 are left"),
        (Budget(tokens=100), Usage(tokens_in=100), "tokens", "tokens are spent: 100 of 100"),
        (Budget(turns=2), Usage(calls=2), "turns", "turns are spent: 2 of 2"),
    ],
)
def test_a_call_that_would_pass_a_limit_is_not_made(budget: Budget, spent: Usage, limit: str, told: str) -> None:
    seen: list[Any] = []
    with pytest.raises(BudgetSpent, match=told):
        meter(Allowance(budget, seen.append), spent).allow("m", Estimate(20_000, 0, 500), 32_000)
    (reached,) = seen
    assert reached.limit == limit
    assert reached.needed > reached.allowed


def test_no_run_costs_more_than_it_may_when_the_server_counts_as_we_do() -> None:
    budget, paying = Budget(usd=0.2), meter(Budget(usd=0.2))
    forecast, chars = Forecast(clock=lambda: 0.0), 30_000

    def call() -> None:
        estimate = forecast.of(chars)
        allowed = paying.allow("m", estimate, 32_000)
        used = Tokens(written=estimate.prompt - estimate.cached, read=estimate.cached, out=allowed.tokens_out)
        paying.count("m", used)
        forecast.learn(chars, used)

    while paying.spent.usd + RATE.cost(Tokens(written=1_000, read=forecast.of(chars).cached, out=LEAST_TOKENS)) < 0.2:
        call()
        chars += 3_000
    with pytest.raises(BudgetSpent):
        call()
    assert 0.1 < paying.spent.usd <= budget.usd


def test_a_first_call_the_run_cannot_pay_for_is_not_sent(double: Double, attempt: Make) -> None:
    run = attempt(rates=RATE, budget=Budget(usd=0.01))
    with pytest.raises(BudgetSpent):
        run.run()
    assert not double.seen


def test_short_answers_are_paid_for_to_the_end(double: Double, attempt: Make) -> None:
    view = use(EDITOR, command="view", path="lanes.py")
    double.script = [Say([view], usage={"input_tokens": 10_000, "output_tokens": 2_000}), Say([DONE])]
    assert attempt(rates=RATE, budget=Budget(usd=0.06)).run().outcome is Outcome.DONE
    first, second = (b["max_tokens"] for b in double.bodies)
    assert LEAST_TOKENS <= second < first < 32_000


# -- asking -----------------------------------------------------------------------------------------------------------


def answered(*answers: Raise | EndAttempt) -> tuple[Allowance, list[Any]]:
    seen, left = list[Any](), list(answers)
    allowance = Allowance(Budget(turns=2), seen.append, lambda question: left.pop(0), seen.append, part="attempt 1")
    return allowance, seen


def test_a_raised_limit_lets_the_call_be_made_and_is_recorded() -> None:
    allowance, seen = answered(Raise("turns-1", "turns", 2), Raise("turns-1", "usd", 9), Raise("turns-1", "turns", 4))
    meter(allowance, Usage(calls=2)).allow("m", Estimate(10, 0, 1), 100)
    assert allowance.budget.turns == 4
    assert [type(e) for e in seen] == [ev.BudgetReached, str, str, ev.BudgetRaised], "what does not help is no answer"


def test_an_attempt_ended_at_a_limit_is_recorded_as_such() -> None:
    allowance, seen = answered(EndAttempt("turns-1", forward=True))
    with pytest.raises(AttemptEnded):
        meter(allowance, Usage(calls=2)).allow("m", Estimate(10, 0, 1), 100)
    assert seen[-1] == ev.BudgetSettled("turns-1", "attempt 1", forward=True)


def test_minutes_are_asked_for_where_a_person_is() -> None:
    allowance, seen = answered(Raise("minutes-1", "minutes", 90))
    allowance.check_time(59.0)
    assert not seen
    allowance.check_time(60.5)
    assert allowance.budget.minutes == 90
    alone = Allowance(Budget(minutes=1))
    alone.check_time(5.0)  # a timer ends it


def test_what_a_person_raised_holds_for_the_resumed_run_unless_it_says_otherwise() -> None:
    raised = {"usd": 5.0, "turns": 100.0}
    assert Allowance.of(Budget(), raised).budget == Budget(usd=5.0, turns=100)
    assert Allowance.of(Budget(usd=3.0), raised, ("usd",)).budget == Budget(usd=3.0, turns=100)


def test_where_no_attempt_is_under_way_a_finish_ends_the_run_resumably() -> None:
    allowance, seen = answered(EndAttempt("minutes-1", forward=True))
    with pytest.raises(BudgetSpent, match="took its 60 minutes") as caught:
        allowance.check_time(61, between=True)
    assert "--max-minutes" in caught.value.hint
    reached, settled = seen
    assert reached.between
    assert settled == ev.BudgetSettled("minutes-1", ev.RUN), "nothing is handed over"


def test_more_minutes_than_a_timer_knows_are_as_many_as_it_knows() -> None:
    steering = Steering(CancelToken(), ask=False)
    steering.limit(60 * 1e9)
    steering.release()
    assert not steering.expired
