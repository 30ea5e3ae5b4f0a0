#pragma once

#include <fleetarium/feed/traffic_index.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fleetarium::feed {

/// The traffic of a recording up to any instant: the sums of the index up to the interval of the
/// instant, and what happened within it from the rows themselves, where these are not too many.
/// Otherwise it is the begin of the interval that is shown: `sums_at` and `entities_at` say which
/// instant it is.
class instant_view {
public:
    /// So many messages are read for an interval at most; they take 20 ms.
    static constexpr std::int64_t messages_max = 20'000;

    /// `rows` reads the same file, on the thread of the questions.
    explicit instant_view(recording::database& rows) : rows_(rows), reader_(rows) {}

    /// All changes until `at`, itself included. `growing`: more is to be written.
    traffic_index::sums sums(traffic_index& index, std::int64_t at, bool growing);
    std::int64_t sums_at() const { return sums_at_; }

    // By row, shorter where the last ones have no traffic. Valid until the next call.
    const std::vector<topic_standing>& topics(traffic_index& index, std::int64_t at, bool growing);
    const std::vector<client_standing>& clients(traffic_index& index, std::int64_t at,
                                                bool growing);
    std::int64_t entities_at() const { return entities_at_; }

private:
    /// The interval of an instant; all of them where it is behind the last.
    std::size_t place_of(const traffic_index& index, std::int64_t at) const;
    /// The changes in an interval by time; null: they are too many.
    const std::vector<traffic_change>* window(traffic_index& index, std::size_t place,
                                              bool growing);
    const std::vector<traffic_change>* entity_window(traffic_index& index, std::size_t place,
                                                     std::int64_t at, bool growing);
    void take_back();

    recording::database& rows_;
    change_reader reader_;
    std::int64_t sums_at_ = 0;
    std::int64_t entities_at_ = 0;

    struct window_key {
        std::int64_t begin = 0;
        std::int64_t width = 0;
        std::int64_t last_message = 0;
        std::size_t late = 0;
        bool operator==(const window_key&) const = default;
    };
    window_key window_of_;
    bool has_window_ = false;
    std::vector<traffic_change> window_;
    std::vector<traffic_change> resends_;
    traffic_batch batch_;

    // What was added to the index's own lists, as it was before.
    std::vector<topic_standing>* topics_ = nullptr;
    std::vector<client_standing>* clients_ = nullptr;
    std::vector<std::pair<std::uint32_t, topic_standing>> topics_before_;
    std::vector<std::pair<std::uint32_t, client_standing>> clients_before_;
};

}  // namespace fleetarium::feed
