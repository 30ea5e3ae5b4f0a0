#include <fleetarium/broker/topic_text.hpp>
#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

std::vector<std::string> split(const std::string& topic) {
    std::vector<std::string> levels(1);
    for (const char byte : topic) {
        if (byte == '/') {
            levels.emplace_back();
        } else {
            levels.back() += byte;
        }
    }
    return levels;
}

}  // namespace

TEST_CASE("a scanned topic gives its levels, and each level its hash wherever it stands",
          "[topic_text]") {
    random_stream random(1, 0, "topic_text");
    std::map<std::uint64_t, std::string> texts;
    for (int round = 0; round < 20'000; ++round) {
        std::string topic;
        for (std::uint64_t bytes = random.below(40); bytes != 0; --bytes) {
            // Neighbours of the separator, and bytes with the top bit, are where a search eight
            // bytes at a time goes wrong if it does.
            constexpr char alphabet[] = {'/', '.', '0', 'a', '\x01', '\xaf', '\xff', 'a'};
            topic += alphabet[random.below(std::size(alphabet))];
        }
        // Without room behind the text, so that a sanitizer sees a byte read too far.
        const std::vector<char> exact(topic.begin(), topic.end());
        level_scanner scanner({exact.data(), exact.size()}, 7);
        const auto expected = split(topic);
        for (std::size_t at = 0; at < expected.size(); ++at) {
            REQUIRE(scanner.next());
            REQUIRE(scanner.level() == expected[at]);
            REQUIRE(scanner.is_last() == (at + 1 == expected.size()));
            REQUIRE(scanner.hash() == hash_level(expected[at], 7));
            REQUIRE(texts.try_emplace(scanner.hash(), expected[at]).first->second == expected[at]);
        }
        REQUIRE_FALSE(scanner.next());
        REQUIRE_FALSE(scanner.next());
    }
    CHECK(hash_level("device", 7) != hash_level("device", 8));
}

TEST_CASE("texts are the same exactly if all their bytes are", "[topic_text]") {
    for (std::size_t size = 0; size < 40; ++size) {
        const std::string text(size, 'x');
        CHECK(same_text(text, std::string(size, 'x')));
        CHECK_FALSE(same_text(text, text + "x"));
        for (std::size_t at = 0; at < size; ++at) {
            std::string other = text;
            other[at] = 'y';
            REQUIRE_FALSE(same_text(text, other));
        }
    }
}
