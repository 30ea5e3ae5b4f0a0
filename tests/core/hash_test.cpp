#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/trace_hash.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

using namespace fleetarium;

namespace {

std::string alphabet(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i != size; ++i) {
        text[i] = static_cast<char>('a' + i % 26);
    }
    return text;
}

host_chain chain_of(std::initializer_list<std::uint64_t> words) {
    host_chain chain;
    for (const std::uint64_t word : words) {
        chain.absorb(word);
    }
    return chain;
}

// The table is evaluated by the compiler: its way of reading bytes must agree with memcpy's.
static_assert(hash_text("abc") == 0xcffe00be14139b48);
static_assert(mix64(0) == 0);

}  // namespace

TEST_CASE("hashes of bytes never change", "[hash]") {
    struct golden {
        std::size_t size;
        std::uint64_t hash;
    };
    const std::vector<golden> table = {
        {0, 0xc71b2ba9d63d91f5},  {1, 0xc95b22af538e188e},  {2, 0x7131bb0ad8611e0a},
        {3, 0xcffe00be14139b48},  {4, 0x06b66b9f42233f1f},  {7, 0x8e0d571128642f4f},
        {8, 0xe1f16b8dd73e470e},  {9, 0xb5ab85d05d6fc8fd},  {15, 0x19c9c559e88cabd4},
        {16, 0xa46f21895fe42cb8}, {17, 0x200008bfd2ff8b4d}, {32, 0x25eb9e32ea80188e},
        {33, 0x7b9f5e845a4c8804}, {48, 0x2b7e647c102e8528}, {49, 0x39a37d0dd4acd1b6},
        {96, 0x30eb82dffce4dbf9}, {97, 0xd0c6c4ad03a3e2ab}, {104, 0x655ad4f9baf668d0}};
    for (const auto& [size, hash] : table) {
        CAPTURE(size);
        CHECK(hash_text(alphabet(size)) == hash);
        CHECK(hash_bytes(as_bytes_view(alphabet(size))) == hash);
    }
    CHECK(hash_text("abc", 1) == 0x54b21980217d19dd);
    CHECK(mix64(1) == 0x5692161d100b05e5);
    CHECK(combine(1, 2) == 0x55907708052e8d7c);
    CHECK(combine(2, 1) == 0xb554db55f29981a6);
}

TEST_CASE("every byte, its place and the length change the hash", "[hash]") {
    for (std::size_t size = 0; size != 150; ++size) {
        std::set<std::uint64_t> hashes;
        std::string text(size, '\0');
        hashes.insert(hash_text(text));
        hashes.insert(hash_text(text + '\0'));
        for (char& each : text) {
            each = '\1';
            hashes.insert(hash_text(text));
            each = '\0';
        }
        REQUIRE(hashes.size() == size + 2);
    }
}

TEST_CASE("one bit of the input flips about half the bits of the hash", "[hash]") {
    for (const std::size_t size : {1u, 3u, 4u, 8u, 12u, 16u, 20u, 48u, 49u, 100u}) {
        CAPTURE(size);
        std::string text = alphabet(size);
        const std::uint64_t before = hash_text(text);
        int flipped = 0;
        int least = 64;
        for (std::size_t bit = 0; bit != size * 8; ++bit) {
            text[bit / 8] = static_cast<char>(text[bit / 8] ^ 1 << bit % 8);
            const int changed = std::popcount(before ^ hash_text(text));
            text[bit / 8] = static_cast<char>(text[bit / 8] ^ 1 << bit % 8);
            flipped += changed;
            least = std::min(least, changed);
        }
        CHECK(least >= 10);
        CHECK(std::abs(flipped / static_cast<double>(size * 8) - 32) < 4);
    }
}

TEST_CASE("similar names do not collide in the low bits that tables use", "[hash]") {
    // 65,536 names into 65,536 buckets: a random function leaves 1/e of them empty.
    std::vector<bool> taken(65'536);
    for (int i = 0; i != 65'536; ++i) {
        taken[hash_text("fleet/device-" + std::to_string(i) + "/state") & 0xffff] = true;
    }
    const auto empty = std::count(taken.begin(), taken.end(), false);
    CHECK(empty > 23'500);
    CHECK(empty < 24'700);
}

TEST_CASE("the seed gives another hash of the same bytes", "[hash]") {
    for (const std::size_t size : {0u, 1u, 5u, 16u, 40u, 200u}) {
        CHECK(hash_text(alphabet(size), 1) != hash_text(alphabet(size), 2));
    }
}

TEST_CASE("a host's chain depends on each word and on their order", "[trace_hash]") {
    CHECK(chain_of({1, 2}) == chain_of({1, 2}));
    CHECK(chain_of({1, 2}) != chain_of({2, 1}));
    CHECK(chain_of({0}) != chain_of({}));
    CHECK(chain_of({0, 0}) != chain_of({0}));
    CHECK(chain_of({1, 2}).value() == 0x51b01d53ca27e54d);
}

TEST_CASE("the trace hash does not depend on the order of hosts or on shards", "[trace_hash]") {
    const auto chain = [](std::uint64_t host) { return chain_of({host, host * 3, 7}); };
    trace_hash uncut;
    for (std::uint64_t host = 0; host != 1000; ++host) {
        uncut.add(host, chain(host));
    }
    trace_hash backwards;
    for (std::uint64_t host = 1000; host-- != 0;) {
        backwards.add(host, chain(host));
    }
    CHECK(backwards == uncut);

    std::vector<trace_hash> shards(7);
    for (std::uint64_t host = 0; host != 1000; ++host) {
        shards[host % 7].add(host, chain(host));
    }
    trace_hash merged;
    for (const trace_hash& shard : shards) {
        merged.merge(shard);
    }
    CHECK(merged.text() == uncut.text());
}

TEST_CASE("the trace hash tells which host did what", "[trace_hash]") {
    trace_hash one;
    one.add(1, chain_of({10}));
    one.add(2, chain_of({20}));
    trace_hash exchanged;
    exchanged.add(1, chain_of({20}));
    exchanged.add(2, chain_of({10}));
    trace_hash with_idle_host = one;
    with_idle_host.add(3, host_chain());
    CHECK(one.value() != exchanged.value());
    CHECK(one.value() != with_idle_host.value());
}

TEST_CASE("the trace hash is written as 16 hexadecimal digits and never changes", "[trace_hash]") {
    trace_hash hash;
    CHECK(hash.text() == "a706dd2f4d197e6f");
    hash.add(1, chain_of({1, 2}));
    hash.add(2, chain_of({2, 1}));
    CHECK(hash.text() == "0d959029601a83a9");
}

TEST_CASE("texts that were made to collide do not with a seed that their maker did not know",
          "[hash][threat/collisions]") {
    // The first step multiplies two halves of a text of 16 bytes: 1 * 6 is 2 * 3.
    std::vector<std::string> made;
    for (const std::uint64_t factor : {1u, 2u, 3u, 6u}) {
        const std::uint64_t low = factor ^ detail::hash_secret[1];
        const std::uint64_t high = std::rotl((6 / factor) ^ detail::hash_secret[3], 32);
        std::string text(16, ' ');
        for (std::size_t i = 0; i != 8; ++i) {
            text[i] = static_cast<char>(low >> 8 * i & 0xFF);
            text[8 + i] = static_cast<char>(high >> 8 * i & 0xFF);
        }
        made.push_back(text);
    }
    std::set<std::uint64_t> known;
    std::set<std::uint64_t> drawn;
    for (const std::string& text : made) {
        known.insert(hash_text(text));
        drawn.insert(hash_text(text, 0x9E37'79B9'7F4A'7C15));
    }
    CHECK(known.size() == 1);
    CHECK(drawn.size() == made.size());
}
