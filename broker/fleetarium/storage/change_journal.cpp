#include <fleetarium/storage/change_journal.hpp>

#include <fleetarium/core/assert.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_map.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace fleetarium::storage {

namespace {

using kind = session_change::kind;

std::uint8_t encoded(const subscription_options& options) {
    return static_cast<std::uint8_t>(static_cast<unsigned>(options.qos) |
                                     (options.no_local ? 0x04U : 0U) |
                                     (options.retain_as_published ? 0x08U : 0U) |
                                     static_cast<unsigned>(options.retain_handling) << 4);
}

/// What the broker says of itself is out of date when it starts again.
bool is_kept(const message& retained) { return !retained.topic().starts_with("$SYS/"); }

}  // namespace

struct change_journal::implementation {
    /// What of a session the file has, or will have when the changes are written.
    struct kept_session {
        std::int64_t row = 0;            // 0: nothing
        std::int64_t first_pending = 0;  // sequence
        std::int64_t end = 0;            // sequence of the next delivery queued
        boost::unordered_flat_map<std::uint16_t, std::int64_t> in_flight;  // sequences
    };
    struct kept_message {
        std::int64_t row = 0;
        std::uint32_t references = 0;
        std::uint32_t change = 0;  // its row's, if `taken` says that it was not taken yet
        std::uint64_t taken = 0;
    };
    using delivery_key = std::pair<std::int64_t, std::int64_t>;  // session, sequence

    std::vector<kept_session> sessions;
    // By address: whoever holds a message in the core has a reference here.
    boost::unordered_map<const message*, kept_message> messages;
    std::int64_t last_session = 0;
    std::int64_t last_message = 0;
    std::uint64_t position = 0;
    session_changes fresh;
    std::uint64_t takes = 0;
    boost::unordered_flat_map<delivery_key, std::uint32_t> fresh_deliveries;

    kept_session* find(broker::session_index index) {
        return index < sessions.size() && sessions[index].row != 0 ? &sessions[index] : nullptr;
    }
    kept_session& of(broker::session_index index) {
        FLEETARIUM_ASSERT(find(index) != nullptr);
        return sessions[index];
    }

    session_change& add(kind what, std::int64_t session) {
        ++position;
        session_change& added = fresh.changes.emplace_back();
        added.what = what;
        added.session = session;
        return added;
    }
    session_change& add_text(kind what, std::int64_t session, std::string_view text) {
        session_change& added = add(what, session);
        added.text = fresh.bytes.size();
        added.text_size = static_cast<std::uint32_t>(text.size());
        const bytes_view bytes = as_bytes_view(text);
        fresh.bytes.insert(fresh.bytes.end(), bytes.begin(), bytes.end());
        return added;
    }
    std::uint32_t newest() const { return static_cast<std::uint32_t>(fresh.changes.size() - 1); }

    message_row row_of(const message& from) {
        message_row row;
        row.begin = fresh.bytes.size();
        row.topic_size = static_cast<std::uint32_t>(from.topic().size());
        row.properties_size = static_cast<std::uint32_t>(from.properties().size());
        row.payload_size = static_cast<std::uint32_t>(from.payload().size());
        row.qos = from.qos();
        row.retain = from.retain();
        row.publisher = from.publisher();
        row.number = from.identity().number;
        row.published_at = from.identity().published_at;
        row.expires_at = from.expires_at();
        for (const bytes_view part :
             {as_bytes_view(from.topic()), from.properties(), from.payload()}) {
            fresh.bytes.insert(fresh.bytes.end(), part.begin(), part.end());
        }
        return row;
    }

    std::int64_t take_reference(const message_ptr& to) {
        kept_message& kept = messages[&*to];
        if (++kept.references == 1) {
            kept.row = ++last_message;
            session_change& added = add(kind::put_message, 0);
            added.message = kept.row;
            added.text = fresh.messages.size();
            fresh.messages.push_back(row_of(*to));
            kept.change = newest();
            kept.taken = takes;
        }
        return kept.row;
    }
    void give_reference_back(const message& to) {
        const auto found = messages.find(&to);
        FLEETARIUM_ASSERT(found != messages.end());
        kept_message& kept = found->second;
        if (--kept.references != 0) {
            return;
        }
        if (kept.taken == takes && kept.change != written_before) {
            fresh.changes[kept.change].what = kind::nothing;
            ++position;
        } else {
            add(kind::erase_message, 0).message = kept.row;
        }
        messages.erase(found);
    }
    static constexpr std::uint32_t written_before = 0xFFFF'FFFF;  // for messages of the file

    session_change* fresh_delivery(const delivery_key& of) {
        const auto found = fresh_deliveries.find(of);
        return found == fresh_deliveries.end() ? nullptr : &fresh.changes[found->second];
    }
    void set(const kept_session& owner, std::int64_t sequence, std::uint16_t packet_id,
             delivery_state state) {
        session_change* row = fresh_delivery({owner.row, sequence});
        if (row == nullptr) {
            row = &add(kind::set_delivery, owner.row);
            row->sequence = sequence;
        }
        ++position;
        row->packet_id = packet_id;
        row->state = state;
    }
    void erase(const kept_session& owner, std::int64_t sequence, const message& of) {
        const delivery_key key{owner.row, sequence};
        if (session_change* const unwritten = fresh_delivery(key)) {
            unwritten->what = kind::nothing;
            fresh_deliveries.erase(key);
            ++position;
        } else {
            add(kind::erase_delivery, owner.row).sequence = sequence;
        }
        give_reference_back(of);
    }
};

change_journal::change_journal() : implementation_(std::make_unique<implementation>()) {}
change_journal::~change_journal() = default;

// What a file has

void change_journal::know_session(broker::session_index index, std::int64_t row) {
    auto& in = *implementation_;
    if (index >= in.sessions.size()) {
        in.sessions.resize(index + std::size_t{1});
    }
    in.sessions[index].row = row;
    in.last_session = std::max(in.last_session, row);
}

void change_journal::know_message(const message_ptr& kept, std::int64_t row) {
    auto& in = *implementation_;
    implementation::kept_message& known = in.messages[&*kept];
    known.row = row;
    known.change = implementation::written_before;
    in.last_message = std::max(in.last_message, row);
}

void change_journal::know_delivery(broker::session_index to, std::int64_t sequence,
                                   const delivery& kept) {
    auto& in = *implementation_;
    implementation::kept_session& owner = in.of(to);
    if (kept.packet_id != 0) {
        owner.in_flight.emplace(kept.packet_id, sequence);
        owner.first_pending = sequence + 1;
    } else if (owner.end == 0 || owner.first_pending == owner.end) {
        owner.first_pending = sequence;
    }
    owner.end = sequence + 1;
    ++in.messages.at(&*kept.message).references;
}

void change_journal::know_retained(const message_ptr& kept) {
    ++implementation_->messages.at(&*kept).references;
}

std::size_t change_journal::unreferenced_messages() const {
    const auto& all = implementation_->messages;
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const auto& each) { return each.second.references == 0; }));
}

// Sessions

void change_journal::session_changed(broker::session_index index, const broker::session& changed) {
    auto& in = *implementation_;
    implementation::kept_session* kept = in.find(index);
    if (kept == nullptr) {
        know_session(index, in.last_session + 1);
        kept = &in.of(index);
    }
    session_row row;
    row.client_id = changed.client_id();
    row.expiry_interval = changed.expiry_interval;
    row.connected = changed.connection != broker::no_connection;
    row.expires_at = changed.expires_at;
    row.owner = changed.owner_hash;
    if (changed.will) {
        row.will =
            session_row::will_row{in.row_of(*changed.will->message), changed.will->delay_interval,
                                  changed.will->message_expiry_interval, changed.will->due};
    }
    session_change& added = in.add(kind::put_session, kept->row);
    added.text = in.fresh.sessions.size();
    in.fresh.sessions.push_back(std::move(row));
}

void change_journal::session_ended(broker::session_index index, const broker::session& ended) {
    auto& in = *implementation_;
    implementation::kept_session* const kept = in.find(index);
    if (kept == nullptr) {
        return;
    }
    ended.state.outbound.for_each([&](const delivery& lost) {
        if (lost.qos != qos::at_most_once) {
            in.give_reference_back(*lost.message);
        }
    });
    in.add(kind::erase_session, kept->row);
    *kept = {};
}

void change_journal::subscribed(broker::session_index by, std::string_view filter,
                                const broker::subscription& to) {
    auto& in = *implementation_;
    session_change& added = in.add_text(kind::put_subscription, in.of(by).row, filter);
    added.identifier = to.identifier;
    added.options = encoded(to.options);
}

void change_journal::unsubscribed(broker::session_index by, std::string_view filter) {
    auto& in = *implementation_;
    in.add_text(kind::erase_subscription, in.of(by).row, filter);
}

// Messages to a client

void change_journal::queued(broker::session_index to, const delivery& added) {
    auto& in = *implementation_;
    implementation::kept_session& owner = in.of(to);
    const std::int64_t message = in.take_reference(added.message);
    const std::int64_t sequence = owner.end++;
    session_change& row = in.add(kind::put_delivery, owner.row);
    row.sequence = sequence;
    row.message = message;
    row.qos = added.qos;
    row.retain = added.retain;
    row.shared = added.shared;
    row.group_place = added.group_place;
    row.identifier = added.subscription_identifier;
    in.fresh_deliveries.emplace(implementation::delivery_key{owner.row, sequence}, in.newest());
}

void change_journal::first_sent(broker::session_index to, const delivery& sent) {
    auto& in = *implementation_;
    implementation::kept_session& owner = in.of(to);
    const std::int64_t sequence = owner.first_pending++;
    owner.in_flight.emplace(sent.packet_id, sequence);
    in.set(owner, sequence, sent.packet_id, sent.state);
}

void change_journal::received(broker::session_index by, std::uint16_t packet_id) {
    auto& in = *implementation_;
    const implementation::kept_session& owner = in.of(by);
    if (const auto found = owner.in_flight.find(packet_id); found != owner.in_flight.end()) {
        in.set(owner, found->second, packet_id, delivery_state::wait_pubcomp);
    }
}

void change_journal::completed(broker::session_index by, const delivery& done) {
    auto& in = *implementation_;
    implementation::kept_session& owner = in.of(by);
    const auto found = owner.in_flight.find(done.packet_id);
    FLEETARIUM_ASSERT(found != owner.in_flight.end());
    const std::int64_t sequence = found->second;
    owner.in_flight.erase(found);
    in.erase(owner, sequence, *done.message);
}

void change_journal::dropped(broker::session_index to, const delivery& lost) {
    auto& in = *implementation_;
    implementation::kept_session& owner = in.of(to);
    in.erase(owner, owner.first_pending++, *lost.message);
}

// Messages from a client

void change_journal::identifier_taken(broker::session_index from, std::uint16_t packet_id) {
    auto& in = *implementation_;
    in.add(kind::put_identifier, in.of(from).row).packet_id = packet_id;
}

void change_journal::identifier_released(broker::session_index from, std::uint16_t packet_id) {
    auto& in = *implementation_;
    in.add(kind::erase_identifier, in.of(from).row).packet_id = packet_id;
}

// Retained messages

void change_journal::retained(const message_ptr& kept, const message_ptr& replaced) {
    auto& in = *implementation_;
    if (!is_kept(*kept)) {
        return;
    }
    const std::int64_t row = in.take_reference(kept);
    if (replaced) {
        retained_removed(replaced);
    }
    in.add(kind::put_retained, 0).message = row;
}

void change_journal::retained_removed(const message_ptr& removed) {
    auto& in = *implementation_;
    if (!is_kept(*removed)) {
        return;
    }
    in.add(kind::erase_retained, 0).message = in.messages.at(&*removed).row;
    in.give_reference_back(*removed);
}

// Changes

std::uint64_t change_journal::position() const { return implementation_->position; }
bool change_journal::has_changes() const { return !implementation_->fresh.empty(); }
std::size_t change_journal::change_bytes() const { return implementation_->fresh.memory_bytes(); }

session_changes change_journal::take(session_changes spent) {
    auto& in = *implementation_;
    spent.clear();
    session_changes taken = std::exchange(in.fresh, std::move(spent));
    taken.position = in.position;
    in.fresh_deliveries.clear();
    ++in.takes;
    return taken;
}

}  // namespace fleetarium::storage
