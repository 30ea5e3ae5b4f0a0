#include <fleetarium/core/shared_bytes.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace fleetarium;

TEST_CASE("shared bytes hold a copy of what they were made from", "[shared_bytes]") {
    std::string text(5000, 'x');
    const shared_bytes held(as_bytes_view(text));
    text.assign(5000, 'y');
    CHECK(as_text(held.view()) == std::string(5000, 'x'));
    CHECK_FALSE(held.empty());
}

TEST_CASE("copies of shared bytes are the same bytes", "[shared_bytes]") {
    const shared_bytes first(as_bytes_view("payload"));
    const shared_bytes copy = first;
    const auto another = copy;  // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(copy.view().data() == first.view().data());
    CHECK(another.view().data() == first.view().data());
}

TEST_CASE("shared bytes live as long as one copy does", "[shared_bytes]") {
    std::vector<shared_bytes> holders(100, shared_bytes(as_bytes_view("payload")));
    const std::uint8_t* const place = holders.front().view().data();
    while (holders.size() > 1) {
        holders.erase(holders.begin());
        REQUIRE(holders.front().view().data() == place);
        REQUIRE(as_text(holders.front().view()) == "payload");
    }
}

TEST_CASE("shared bytes of nothing are empty and cost nothing", "[shared_bytes]") {
    const shared_bytes none;
    const shared_bytes of_empty{bytes_view{}};
    CHECK(none.empty());
    CHECK(of_empty.empty());
    CHECK(of_empty.view().data() == nullptr);
    const shared_bytes copy = none;  // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(copy.empty());
}

TEST_CASE("shared bytes can be moved and assigned, to themselves too", "[shared_bytes]") {
    shared_bytes first(as_bytes_view("one"));
    shared_bytes second(as_bytes_view("two"));
    second = first;
    CHECK(as_text(second.view()) == "one");
    first = std::move(second);
    CHECK(as_text(first.view()) == "one");
    CHECK(second.empty());  // NOLINT(bugprone-use-after-move)
    const shared_bytes& same = first;
    first = same;
    CHECK(as_text(first.view()) == "one");
    first = shared_bytes();
    CHECK(first.empty());
}
