#include <fleetarium/core/wire_buffer.hpp>

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

using namespace fleetarium;

namespace {

std::string all_of(const wire_buffer& buffer) {
    std::string all;
    buffer.for_each_part([&](bytes_view part) {
        REQUIRE_FALSE(part.empty());
        all += as_text(part);
    });
    return all;
}

std::vector<std::string> parts_of(const wire_buffer& buffer) {
    std::vector<std::string> parts;
    buffer.for_each_part([&](bytes_view part) { parts.emplace_back(as_text(part)); });
    return parts;
}

wire_buffer buffer_of(std::string_view text) {
    wire_buffer made;
    made.append(as_bytes_view(text));
    return made;
}

std::string random_text(random_stream& draws, std::size_t size) {
    std::string text(size, ' ');
    for (char& each : text) {
        each = static_cast<char>('a' + draws.below(26));
    }
    return text;
}

}  // namespace

TEST_CASE("an empty wire buffer has no bytes and no parts", "[wire_buffer]") {
    wire_buffer buffer;
    CHECK(buffer.empty());
    CHECK(buffer.size() == 0);
    CHECK(buffer.contiguous().empty());
    CHECK(parts_of(buffer).empty());
    buffer.append(bytes_view{});
    buffer.append_shared(shared_bytes());
    buffer.append(wire_buffer());
    CHECK(buffer.empty());
}

TEST_CASE("small packets stay in one contiguous part", "[wire_buffer]") {
    wire_buffer buffer;
    buffer.append(as_bytes_view("one "));
    std::memcpy(buffer.extend(4), "two ", 4);
    buffer.append(as_bytes_view("three"));
    CHECK(as_text(buffer.contiguous()) == "one two three");
    CHECK(buffer.size() == 13);
    CHECK(parts_of(buffer).size() == 1);
}

TEST_CASE("a shared payload is referred to, not copied", "[wire_buffer]") {
    const shared_bytes payload(as_bytes_view("payload"));
    wire_buffer buffer = buffer_of("head ");
    buffer.append_shared(payload);
    buffer.append(as_bytes_view(" next"));
    CHECK(parts_of(buffer) == std::vector<std::string>{"head ", "payload", " next"});
    CHECK(buffer.size() == 17);
    CHECK(buffer.contiguous().empty());
    bool referred = false;
    buffer.for_each_part(
        [&](bytes_view part) { referred = referred || part.data() == payload.view().data(); });
    CHECK(referred);
}

TEST_CASE("a buffer of one shared payload is contiguous", "[wire_buffer]") {
    wire_buffer buffer;
    buffer.append_shared(shared_bytes(as_bytes_view("payload")));
    CHECK(as_text(buffer.contiguous()) == "payload");
    CHECK(parts_of(buffer) == std::vector<std::string>{"payload"});
}

TEST_CASE("shared payloads may follow each other", "[wire_buffer]") {
    const shared_bytes payload(as_bytes_view("ab"));
    wire_buffer buffer;
    for (int i = 0; i != 3; ++i) {
        buffer.append_shared(payload);
    }
    CHECK(all_of(buffer) == "ababab");
}

TEST_CASE("what an encoder did not write can be taken back", "[wire_buffer]") {
    wire_buffer buffer = buffer_of("ab");
    std::memcpy(buffer.extend(10), "cdef", 4);
    buffer.shrink(6);
    CHECK(all_of(buffer) == "abcdef");
    buffer.append(as_bytes_view("gh"));
    CHECK(all_of(buffer) == "abcdefgh");
}

TEST_CASE("a buffer whose bytes are all taken back is empty", "[wire_buffer]") {
    wire_buffer buffer;
    buffer.extend(10);
    buffer.shrink(10);
    CHECK(buffer.empty());
    CHECK(buffer.size() == 0);
}

TEST_CASE("moving a buffer leaves the source empty and drops what the target held",
          "[wire_buffer]") {
    wire_buffer source = buffer_of("new");
    wire_buffer target = buffer_of("old");
    target = std::move(source);
    CHECK(all_of(target) == "new");
    CHECK(source.empty());  // NOLINT(bugprone-use-after-move)
    wire_buffer third(std::move(target));
    CHECK(all_of(third) == "new");
    CHECK(target.empty());  // NOLINT(bugprone-use-after-move)
    wire_buffer& same = third;
    third = std::move(same);
    CHECK(all_of(third) == "new");
}

TEST_CASE("a buffer can travel as a bare pointer", "[wire_buffer]") {
    wire_buffer buffer = buffer_of("bytes");
    void* const released = buffer.release();
    CHECK(buffer.empty());
    CHECK(all_of(wire_buffer::adopt(released)) == "bytes");
    CHECK(wire_buffer().release() == nullptr);
    CHECK(wire_buffer::adopt(nullptr).empty());
}

TEST_CASE("a packet asked for in one piece is in one piece", "[wire_buffer]") {
    const std::size_t size = GENERATE(1u, 31u, 33u, 1000u, 70'000u, 300'000u);
    wire_buffer buffer = buffer_of("head");
    std::memset(buffer.extend(size), 'x', size);
    const auto parts = parts_of(buffer);
    REQUIRE_FALSE(parts.empty());
    CHECK(parts.back().substr(parts.back().size() - size) == std::string(size, 'x'));
    CHECK(buffer.size() == size + 4);
}

TEST_CASE("a long buffer gathers into few parts", "[wire_buffer]") {
    wire_buffer buffer;
    for (int i = 0; i != 100'000; ++i) {
        buffer.append(as_bytes_view("0123456789"));
    }
    CHECK(buffer.size() == 1'000'000);
    CHECK(parts_of(buffer).size() < 45);
}

TEST_CASE("any sequence of appends reads back as the bytes appended", "[wire_buffer]") {
    random_stream draws(11, 0, "wire_buffer");
    for (int round = 0; round != 300; ++round) {
        wire_buffer buffer;
        std::string expected;
        for (std::uint64_t steps = draws.below(40); steps != 0; --steps) {
            const std::string text =
                random_text(draws, draws.below(draws.bernoulli(0.1) ? 3000 : 60));
            switch (draws.below(4)) {
                case 0: buffer.append(as_bytes_view(text)); break;
                case 1: buffer.append_shared(shared_bytes(as_bytes_view(text))); break;
                case 2: buffer.append(buffer_of(text)); break;
                default: {
                    const std::size_t spare = 1 + draws.below(30);
                    std::uint8_t* const at = buffer.extend(text.size() + spare);
                    std::memcpy(at, text.data(), text.size());
                    buffer.shrink(spare);
                }
            }
            expected += text;
        }
        REQUIRE(all_of(buffer) == expected);
        REQUIRE(buffer.size() == expected.size());
        REQUIRE(buffer.empty() == expected.empty());
        buffer.clear();
        REQUIRE(buffer.empty());
    }
}

TEST_CASE("a front that was read is dropped chunk by chunk, and what is left of it is told",
          "[wire_buffer]") {
    wire_buffer buffer = buffer_of("first");
    buffer.append_shared(shared_bytes(as_bytes_view("shared")));
    buffer.append(buffer_of("second"));
    buffer.append(buffer_of("third"));

    CHECK(buffer.drop_front(0) == 0);
    CHECK(buffer.drop_front(7) == 7);  // the shared bytes go with their chunk
    CHECK(all_of(buffer) == "firstsharedsecondthird");
    CHECK(buffer.drop_front(11) == 0);
    CHECK(all_of(buffer) == "secondthird");
    CHECK(buffer.drop_front(8) == 2);
    CHECK(all_of(buffer) == "third");
    buffer.append(buffer_of("fourth"));
    CHECK(all_of(buffer) == "thirdfourth");
    CHECK(buffer.drop_front(11) == 0);
    CHECK(buffer.empty());
    CHECK(buffer.drop_front(0) == 0);
}

TEST_CASE("a visit of parts ends when the visitor has enough", "[wire_buffer]") {
    wire_buffer buffer = buffer_of("one");
    buffer.append_shared(shared_bytes(as_bytes_view("two")));
    buffer.append(buffer_of("three"));
    for (std::size_t enough = 1; enough <= 3; ++enough) {
        std::vector<std::string> seen;
        buffer.visit_parts_while([&](bytes_view part) {
            seen.emplace_back(as_text(part));
            return seen.size() != enough;
        });
        CHECK(seen.size() == enough);
        CHECK(seen.front() == "one");
    }
}
