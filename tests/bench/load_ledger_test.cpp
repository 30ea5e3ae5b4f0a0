#include <catch2/catch.hpp>

#include "load_ledger.hpp"

// A broker that loses, reorders, repeats or misdirects a message is found out.

namespace fleetarium::cli::load {
namespace {

/// Two publishers, two subscribers; the first subscriber hears both, the second only the second.
ledger two_and_two() {
    return {2, 2, [](std::uint32_t subscriber, std::uint32_t publisher) {
                return subscriber == 0 || publisher == 1;
            }};
}

/// Everything that is owed for two messages of each publisher, in order.
void take_all(ledger& book) {
    for (std::uint32_t sequence = 0; sequence < 2; ++sequence) {
        REQUIRE(book.take(0, 0, sequence));
        REQUIRE(book.take(0, 1, sequence));
        REQUIRE(book.take(1, 1, sequence));
    }
}

TEST_CASE("all that is owed, in order, is right") {
    ledger book = two_and_two();
    take_all(book);
    CHECK(book.arrived() == 6);
    CHECK(book.close({2, 2}).none());
    CHECK(to_string(book.close({2, 2})).empty());
}

TEST_CASE("a message that never comes is lost, at the end or in the middle") {
    ledger book = two_and_two();
    take_all(book);
    CHECK(book.close({3, 3}).lost == 3);
    CHECK(book.take(0, 0, 4));  // 2 and 3 are missing
    const violations found = book.close({5, 2});
    CHECK(found.lost == 2);
    CHECK(found.reordered == 0);
    CHECK(to_string(found) == "2 lost");
}

TEST_CASE("a message that comes behind a later one is reordered, not lost") {
    ledger book = two_and_two();
    take_all(book);
    CHECK(book.take(0, 0, 3));
    CHECK(book.take(0, 0, 2));
    CHECK(book.take(0, 0, 4));
    const violations found = book.close({5, 2});
    CHECK(found.lost == 0);
    CHECK(found.reordered == 1);
    CHECK_FALSE(found.none());
}

TEST_CASE("a second copy is a duplicate, whether it comes at once or late") {
    ledger book = two_and_two();
    take_all(book);
    CHECK_FALSE(book.take(0, 0, 1));
    CHECK_FALSE(book.take(1, 1, 0));
    CHECK(book.arrived() == 6);
    CHECK(book.close({2, 2}).duplicated == 2);
}

TEST_CASE("a message for which there is no subscription is misdelivered") {
    ledger book = two_and_two();
    take_all(book);
    CHECK_FALSE(book.take(1, 0, 0));
    CHECK_FALSE(book.take(0, 2, 0));
    book.take_altered();
    CHECK(book.close({2, 2}).misdelivered == 3);
}

TEST_CASE("gaps without end are counted and take no memory without end") {
    ledger book = two_and_two();
    CHECK(book.take(0, 0, 3'000'000'000));
    CHECK(book.close({3'000'000'001, 0}).lost == 3'000'000'000);
}

TEST_CASE("violations of several runs add up and read as a sentence") {
    violations sum;
    sum.add({1, 2, 0, 0, 0, false});
    sum.add({1, 0, 3, 4, 5, true});
    CHECK(to_string(sum) ==
          "2 lost, 2 reordered, 3 duplicated, 4 misdelivered, 5 acknowledged wrongly, stalled");
}

}  // namespace
}  // namespace fleetarium::cli::load
