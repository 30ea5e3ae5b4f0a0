#pragma once

#include <fleetarium/feed/feed_types.hpp>
#include <fleetarium/feed/recording_tables.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fleetarium::feed {

/// The connections of a recording, and who was connected at an instant: moved on, or back, by what
/// happened between two of them. 44 bytes a connection, 8 a client.
class connection_timeline {
public:
    void read(recorded::database& in);
    /// What was written meanwhile. Linear in connections.
    void read_more(recorded::database& in);

    const std::vector<recorded::connection>& rows() const { return rows_; }
    /// Ends by time: instant and place of the row. Refused ones have none.
    const std::vector<std::pair<std::int64_t, std::uint32_t>>& ends() const { return ends_; }

    struct counts {
        std::uint64_t connects = 0;
        std::uint64_t disconnects = 0;
        std::uint64_t refused = 0;
    };
    counts until(std::int64_t at) const;

    /// Linear in the connections between the instant before and this one.
    void move_to(std::int64_t at);
    device_state state_of(std::uint32_t client) const;
    /// The newest accepted connection; null: none so far.
    const recorded::connection* newest_of(std::uint32_t client) const;
    std::uint32_t connects_of(std::uint32_t client) const;

    /// The rows of a client, the newest first, until `visit` returns false.
    template <class Visitor>
    void for_each_of(std::uint32_t client, Visitor&& visit) const {
        for (std::uint32_t row = client < newest_.size() ? newest_[client] : 0; row != 0;
             row = previous_[row - 1]) {
            if (!visit(rows_[row - 1])) {
                return;
            }
        }
    }

private:
    void arrange();

    std::vector<recorded::connection> rows_;
    std::vector<std::uint32_t> previous_;        // row before of the same client; 0: none
    std::vector<std::uint32_t> refused_before_;  // refused ones before each row
    std::vector<std::pair<std::int64_t, std::uint32_t>> ends_;
    std::int64_t at_ = 0;
    std::size_t begun_ = 0;                // rows until at_
    std::vector<std::uint32_t> newest_;    // row, by client
    std::vector<std::uint32_t> connects_;  // by client
};

}  // namespace fleetarium::feed
