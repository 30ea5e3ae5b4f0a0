#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/session_journal.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/session_changes.hpp>

#include <support/hex.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace fleetarium::test {

/// The rows of a session file, without the file. Aborts where a change does not fit the rows there
/// are, and where a core has not what its journal said.
class kept_rows {
public:
    /// As storage::session_file::write, but that no change may be about a row that is not there.
    void apply(const storage::session_changes& all) {
        for (const storage::session_change& each : all.changes) {
            apply(all, each);
        }
    }

    /// As storage::session_file::load.
    void restore(broker::broker_core& into, storage::change_journal& journal) const {
        std::map<std::int64_t, message_ptr> made;
        for (const auto& [row, each] : messages_) {
            message_origin origin;
            origin.identity = {each.number, each.published_at};
            origin.publisher = each.publisher;
            origin.expires_at = each.expires_at;
            const message_ptr one = restored(each, origin);
            journal.know_message(one, row);
            made.emplace(row, one);
        }
        std::map<std::int64_t, broker::session_index> indices;
        for (const auto& [row, each] : sessions_) {
            broker::restored_session kept;
            kept.client_id = each.row.client_id;
            kept.expiry_interval = each.row.expiry_interval;
            kept.expires_at = each.row.expires_at;
            kept.was_connected = each.row.connected;
            kept.owner_hash = each.row.owner;
            if (each.row.will) {
                kept.will = std::make_unique<broker::stored_will>();
                kept.will->message =
                    restored(each.will_message,
                             {{}, broker::session_registry::hash_of(each.row.client_id), never});
                kept.will->delay_interval = each.row.will->delay_interval;
                kept.will->message_expiry_interval = each.row.will->message_expiry_interval;
                kept.will->due = each.row.will->due;
            }
            const broker::session_index index = into.restore_session(std::move(kept));
            FLEETARIUM_ASSERT(index != broker::no_session);
            journal.know_session(index, row);
            indices.emplace(row, index);
            for (const subscription_of& by : each.subscriptions) {
                subscription_options options;
                options.qos = static_cast<enum qos>(by.options & 3);
                options.no_local = (by.options & 4) != 0;
                options.retain_as_published = (by.options & 8) != 0;
                options.retain_handling = static_cast<enum retain_handling>(by.options >> 4);
                FLEETARIUM_ASSERT(
                    into.restore_subscription(index, by.filter, by.identifier, options));
            }
            for (const auto& [sequence, waiting] : each.deliveries) {
                const delivery kept_delivery = as_delivery(waiting, made.at(waiting.message));
                FLEETARIUM_ASSERT(into.restore_delivery(index, kept_delivery));
                journal.know_delivery(index, sequence, kept_delivery);
            }
            for (const std::uint16_t packet_id : each.identifiers) {
                FLEETARIUM_ASSERT(into.restore_identifier(index, packet_id));
            }
        }
        for (const std::int64_t row : retained_) {
            const message_ptr& kept = made.at(row);
            FLEETARIUM_ASSERT(into.restore_retained(kept));
            journal.know_retained(kept);
        }
        FLEETARIUM_ASSERT(journal.unreferenced_messages() == 0);
    }

    /// Whether a core has what is here, and nothing else that outlives it. Of one that has not
    /// gone on yet nothing is known of connections.
    void check(const broker::broker_core& core, bool has_gone_on) const {
        std::size_t lasting = 0;
        const auto& slots = core.sessions().slots();
        for (broker::session_index i = 0; i < slots.end(); ++i) {
            lasting += slots.contains(i) && slots[i].expiry_interval != 0 ? 1 : 0;
        }
        FLEETARIUM_ASSERT(lasting == sessions_.size());
        for (const auto& [row, each] : sessions_) {
            const broker::session_index index = core.sessions().find(each.row.client_id);
            FLEETARIUM_ASSERT(index != broker::no_session);
            check(core, core.sessions()[index], index, each, has_gone_on);
        }
        std::size_t retained = 0;
        core.retained().for_each([&](const message_ptr& one) {
            if (!one->topic().starts_with("$SYS/")) {
                ++retained;
                const auto same = [&](std::int64_t row) {
                    return messages_.at(row).topic == one->topic();
                };
                const auto found = std::find_if(retained_.begin(), retained_.end(), same);
                FLEETARIUM_ASSERT(found != retained_.end());
                check(*one, messages_.at(*found));
            }
        });
        FLEETARIUM_ASSERT(retained == retained_.size());
    }

private:
    using kind = storage::session_change::kind;

    struct message_of {
        std::string topic;
        bytes properties;
        bytes payload;
        enum qos qos = qos::at_most_once;
        bool retain = false;
        std::uint64_t publisher = 0;
        std::uint64_t number = 0;
        instant published_at{};
        instant expires_at = never;
    };
    struct subscription_of {
        std::string filter;
        std::uint32_t identifier = 0;
        std::uint8_t options = 0;
    };
    struct session_of {
        storage::session_row row;
        message_of will_message;
        std::vector<subscription_of> subscriptions;  // in the order subscribed
        std::map<std::int64_t, storage::session_change> deliveries;
        std::set<std::uint16_t> identifiers;
    };

    void apply(const storage::session_changes& all, const storage::session_change& each) {
        const std::string filter(as_text(
            bytes_view(all.bytes).subspan(each.text_size == 0 ? 0 : each.text, each.text_size)));
        switch (each.what) {
            case kind::nothing: return;
            case kind::put_session: {
                session_of& to = sessions_[each.session];
                to.row = all.sessions[each.text];
                to.will_message =
                    to.row.will ? message_in(all, to.row.will->message) : message_of();
                return;
            }
            case kind::erase_session: FLEETARIUM_ASSERT(sessions_.erase(each.session) == 1); return;
            case kind::put_subscription: {
                session_of& by = sessions_.at(each.session);
                const auto found = find(by, filter);
                subscription_of& put =
                    found == by.subscriptions.end() ? by.subscriptions.emplace_back() : *found;
                put = {filter, each.identifier, each.options};
                return;
            }
            case kind::erase_subscription: {
                session_of& by = sessions_.at(each.session);
                const auto found = find(by, filter);
                FLEETARIUM_ASSERT(found != by.subscriptions.end());
                by.subscriptions.erase(found);
                return;
            }
            case kind::put_message:
                FLEETARIUM_ASSERT(
                    messages_.emplace(each.message, message_in(all, all.messages[each.text]))
                        .second);
                return;
            case kind::erase_message: FLEETARIUM_ASSERT(messages_.erase(each.message) == 1); return;
            case kind::put_delivery:
                FLEETARIUM_ASSERT(
                    sessions_.at(each.session).deliveries.emplace(each.sequence, each).second);
                return;
            case kind::set_delivery: {
                storage::session_change& row =
                    sessions_.at(each.session).deliveries.at(each.sequence);
                row.packet_id = each.packet_id;
                row.state = each.state;
                return;
            }
            case kind::erase_delivery:
                FLEETARIUM_ASSERT(sessions_.at(each.session).deliveries.erase(each.sequence) == 1);
                return;
            case kind::put_identifier:
                sessions_.at(each.session).identifiers.insert(each.packet_id);
                return;
            case kind::erase_identifier:
                FLEETARIUM_ASSERT(sessions_.at(each.session).identifiers.erase(each.packet_id) ==
                                  1);
                return;
            case kind::put_retained:
                FLEETARIUM_ASSERT(retained_.insert(each.message).second);
                return;
            case kind::erase_retained:
                FLEETARIUM_ASSERT(retained_.erase(each.message) == 1);
                return;
        }
    }

    static std::vector<subscription_of>::iterator find(session_of& in, const std::string& filter) {
        return std::find_if(in.subscriptions.begin(), in.subscriptions.end(),
                            [&](const subscription_of& each) { return each.filter == filter; });
    }

    static message_of message_in(const storage::session_changes& all,
                                 const storage::message_row& row) {
        const auto part = [&](std::size_t from, std::size_t size) {
            const bytes_view view = bytes_view(all.bytes).subspan(row.begin + from, size);
            return bytes(view.begin(), view.end());
        };
        message_of made;
        made.topic = as_text(part(0, row.topic_size));
        made.properties = part(row.topic_size, row.properties_size);
        made.payload = part(row.topic_size + row.properties_size, row.payload_size);
        made.qos = row.qos;
        made.retain = row.retain;
        made.publisher = row.publisher;
        made.number = row.number;
        made.published_at = row.published_at;
        made.expires_at = row.expires_at;
        return made;
    }

    static message_ptr restored(const message_of& from, const message_origin& origin) {
        return message::restore({from.topic, from.properties, from.payload, from.qos, from.retain},
                                origin);
    }

    static delivery as_delivery(const storage::session_change& row, const message_ptr& of) {
        delivery made;
        made.message = of;
        made.packet_id = row.packet_id;
        made.state = row.state;
        made.qos = row.qos;
        made.retain = row.retain;
        made.shared = row.shared;
        made.subscription_identifier = row.identifier;
        made.group_place = row.group_place & delivery::group_place_max;
        return made;
    }

    void check(const broker::broker_core& core, const broker::session& held,
               broker::session_index index, const session_of& kept, bool has_gone_on) const {
        const bool is_connected = held.connection != broker::no_connection;
        FLEETARIUM_ASSERT(held.expiry_interval == kept.row.expiry_interval);
        FLEETARIUM_ASSERT(held.owner_hash == kept.row.owner);
        FLEETARIUM_ASSERT(!has_gone_on || is_connected == kept.row.connected);
        FLEETARIUM_ASSERT(kept.row.connected || held.expires_at == kept.row.expires_at);
        FLEETARIUM_ASSERT((held.will != nullptr) == kept.row.will.has_value());
        if (held.will) {
            check_parts(*held.will->message, kept.will_message);
            FLEETARIUM_ASSERT(held.will->delay_interval == kept.row.will->delay_interval);
            FLEETARIUM_ASSERT(held.will->message_expiry_interval ==
                              kept.row.will->message_expiry_interval);
            FLEETARIUM_ASSERT(kept.row.connected || held.will->due == kept.row.will->due);
        }
        const auto filters = held.filters.view();
        FLEETARIUM_ASSERT(filters.size() == kept.subscriptions.size());
        for (std::size_t i = 0; i < filters.size(); ++i) {
            const subscription_of& row = kept.subscriptions[i];
            const broker::subscription* const by = core.subscriptions().find(filters[i], index);
            FLEETARIUM_ASSERT(core.subscriptions().text(filters[i]) == row.filter);
            FLEETARIUM_ASSERT(by != nullptr && by->identifier == row.identifier);
            FLEETARIUM_ASSERT(by->options.qos == static_cast<enum qos>(row.options & 3));
            FLEETARIUM_ASSERT(by->options.no_local == ((row.options & 4) != 0));
            FLEETARIUM_ASSERT(by->options.retain_as_published == ((row.options & 8) != 0));
            FLEETARIUM_ASSERT(by->options.retain_handling ==
                              static_cast<enum retain_handling>(row.options >> 4));
        }
        auto next = kept.deliveries.begin();
        held.state.outbound.for_each([&](const delivery& waiting) {
            if (waiting.qos == qos::at_most_once) {
                return;
            }
            FLEETARIUM_ASSERT(next != kept.deliveries.end());
            const storage::session_change& row = next->second;
            FLEETARIUM_ASSERT(waiting.packet_id == row.packet_id && waiting.state == row.state);
            FLEETARIUM_ASSERT(waiting.qos == row.qos && waiting.retain == row.retain);
            FLEETARIUM_ASSERT(waiting.shared == row.shared);
            FLEETARIUM_ASSERT(waiting.group_place == row.group_place);
            FLEETARIUM_ASSERT(waiting.subscription_identifier == row.identifier);
            check(*waiting.message, messages_.at(row.message));
            ++next;
        });
        FLEETARIUM_ASSERT(next == kept.deliveries.end());
        FLEETARIUM_ASSERT(held.state.inbound.size() == kept.identifiers.size());
        for (const std::uint16_t packet_id : kept.identifiers) {
            FLEETARIUM_ASSERT(held.state.inbound.contains(packet_id));
        }
    }

    static void check_parts(const message& held, const message_of& kept) {
        FLEETARIUM_ASSERT(held.topic() == kept.topic && held.qos() == kept.qos);
        FLEETARIUM_ASSERT(std::ranges::equal(held.properties(), kept.properties));
        FLEETARIUM_ASSERT(std::ranges::equal(held.payload(), kept.payload));
        FLEETARIUM_ASSERT(held.retain() == kept.retain);
    }
    static void check(const message& held, const message_of& kept) {
        check_parts(held, kept);
        FLEETARIUM_ASSERT(held.publisher() == kept.publisher);
        FLEETARIUM_ASSERT(held.identity().number == kept.number);
        FLEETARIUM_ASSERT(held.identity().published_at == kept.published_at);
        FLEETARIUM_ASSERT(held.expires_at() == kept.expires_at);
    }

    std::map<std::int64_t, message_of> messages_;
    std::map<std::int64_t, session_of> sessions_;
    std::set<std::int64_t> retained_;
};

}  // namespace fleetarium::test
