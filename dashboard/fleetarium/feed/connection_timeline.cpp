#include <fleetarium/feed/connection_timeline.hpp>

#include <algorithm>
#include <limits>

namespace fleetarium::feed {

void connection_timeline::read(recorded::database& in) {
    recorded::read_connections(in, rows_);
    arrange();
}

void connection_timeline::read_more(recorded::database& in) {
    recorded::read_connection_ends(in, rows_);
    recorded::read_connections(in, rows_);
    arrange();
}

void connection_timeline::arrange() {
    std::uint32_t clients = 0;
    for (const recorded::connection& each : rows_) {
        clients = std::max(clients, each.client);
    }
    // A client that is not known is in no row of these.
    std::vector<std::uint32_t> newest(clients + std::size_t{1});
    previous_.assign(rows_.size(), 0);
    refused_before_.assign(rows_.size() + 1, 0);
    ends_.clear();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const recorded::connection& each = rows_[i];
        refused_before_[i + 1] = refused_before_[i] + !each.accepted;
        if (each.client != 0) {
            previous_[i] = newest[each.client];
            newest[each.client] = static_cast<std::uint32_t>(i + 1);
        }
        if (each.accepted && each.ended != recorded::no_instant) {
            ends_.emplace_back(each.ended, static_cast<std::uint32_t>(i));
        }
    }
    std::sort(ends_.begin(), ends_.end());
    newest_.assign(clients + std::size_t{1}, 0);
    connects_.assign(clients + std::size_t{1}, 0);
    begun_ = 0;
    move_to(at_);
}

connection_timeline::counts connection_timeline::until(std::int64_t at) const {
    const auto begun = static_cast<std::size_t>(
        std::upper_bound(rows_.begin(), rows_.end(), at,
                         [](std::int64_t wanted, const recorded::connection& each) {
                             return wanted < each.at;
                         }) -
        rows_.begin());
    const auto ended = std::upper_bound(ends_.begin(), ends_.end(),
                                        std::pair{at, std::numeric_limits<std::uint32_t>::max()});
    counts out;
    out.refused = refused_before_[begun];
    out.connects = begun - out.refused;
    out.disconnects = static_cast<std::uint64_t>(ended - ends_.begin());
    return out;
}

void connection_timeline::move_to(std::int64_t at) {
    at_ = at;
    for (; begun_ < rows_.size() && rows_[begun_].at <= at; ++begun_) {
        const recorded::connection& made = rows_[begun_];
        if (made.client != 0) {
            newest_[made.client] = static_cast<std::uint32_t>(begun_ + 1);
            connects_[made.client] += made.accepted;
        }
    }
    for (; begun_ > 0 && rows_[begun_ - 1].at > at; --begun_) {
        const recorded::connection& undone = rows_[begun_ - 1];
        if (undone.client != 0) {
            newest_[undone.client] = previous_[begun_ - 1];
            connects_[undone.client] -= undone.accepted;
        }
    }
}

device_state connection_timeline::state_of(std::uint32_t client) const {
    bool first = true;
    bool refused = false;
    bool connected = false;
    // A second client with the id of one that is connected may have been refused.
    constexpr int refused_in_a_row_max = 8;
    int looked_at = 0;
    for_each_of(client, [&](const recorded::connection& each) {
        refused = first ? !each.accepted : refused;
        first = false;
        connected = each.accepted && (each.ended == recorded::no_instant || each.ended > at_);
        return !each.accepted && ++looked_at < refused_in_a_row_max;
    });
    return connected ? device_state::connected
           : first   ? device_state::unseen
           : refused ? device_state::refused
                     : device_state::offline;
}

const recorded::connection* connection_timeline::newest_of(std::uint32_t client) const {
    const recorded::connection* out = nullptr;
    for_each_of(client, [&](const recorded::connection& each) {
        out = each.accepted ? &each : nullptr;
        return !each.accepted;
    });
    return out;
}

std::uint32_t connection_timeline::connects_of(std::uint32_t client) const {
    return client < connects_.size() ? connects_[client] : 0;
}

}  // namespace fleetarium::feed
