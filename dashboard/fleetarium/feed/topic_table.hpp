#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/feed/feed_types.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::feed {

/// The topics of a live run as a tree, with counts.
///
/// Topics are known by the hash of their name: two of one hash would count as one. Beyond
/// `levels_max` levels of the tree new topics are only counted in sum.
/// Memory: up to 200 bytes a level, and up to 32 MiB of newest payloads.
class topic_table {
public:
    using id = std::uint32_t;
    static constexpr id none = 0xFFFF'FFFF;
    static constexpr std::size_t levels_max = 400'000;

    topic_table();

    static std::uint64_t hash_of(std::string_view topic);

    /// The topic; `none` if there is no room for it. Amortised constant time in what is known.
    id find_or_add(std::string_view topic, std::uint64_t hash);

    /// Of `none`, in sum.
    void count(id which, std::uint64_t messages, std::uint64_t bytes);

    struct newest {
        std::int64_t at = 0;  ///< nanoseconds
        std::uint32_t publisher = 0;
        std::uint8_t qos = 0;
        bytes_view payload{};
    };
    void note_newest(id which, const newest& message);
    void set_retained(id which, bool retained);

    std::size_t topics() const { return topics_; }
    std::size_t memory_bytes() const;

    /// `name_of` a publisher. Linear in the levels below what is asked for.
    topics_answer answer(const topics_question& asked,
                         const std::function<std::string(std::uint32_t)>& name_of) const;

private:
    struct level {
        std::string name;
        std::string preview;  // of the newest payload
        std::uint64_t messages = 0;
        std::uint64_t bytes = 0;
        std::int64_t at = INT64_MIN;
        id parent = none;
        id first_child = none;
        id next = none;  // sibling
        std::uint32_t children = 0;
        std::uint32_t publisher = 0;
        std::uint32_t size = 0;  // of the newest payload
        std::uint8_t qos = 0;
        bool is_topic = false;
        bool retained = false;
    };
    struct sums {
        std::uint64_t messages = 0;
        std::uint64_t bytes = 0;
        std::int64_t newest = INT64_MIN;
    };

    sums below(id which) const;
    std::string name_of(id which) const;
    topic_row row_of(id which, const std::function<std::string(std::uint32_t)>& publisher) const;

    std::vector<level> levels_;
    boost::unordered_flat_map<std::uint64_t, id> topics_by_hash_;
    boost::unordered_flat_map<std::uint64_t, id> levels_by_hash_;  // of parent and name
    std::size_t topics_ = 0;
    std::size_t preview_bytes_ = 0;
    std::size_t name_bytes_ = 0;
    std::uint64_t messages_beyond_ = 0;
};

}  // namespace fleetarium::feed
