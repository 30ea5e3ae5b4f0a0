#pragma once

#include <fleetarium/broker/session_journal.hpp>
#include <fleetarium/storage/session_changes.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace fleetarium::storage {

/// The journal of a broker core as changes of rows, gathered until somebody takes them to write
/// them. What is made and undone before it is taken is never written. A message is one row,
/// however many sessions wait for it.
///
/// Memory: what was not taken yet, some 80 bytes for each session in the file, and 50 for each of
/// its messages. Thread rule: the core's.
class change_journal final : public broker::session_journal {
public:
    change_journal();
    ~change_journal() override;

    // Of a core just made from a file: what is in the file already.

    void know_session(broker::session_index index, std::int64_t row);
    /// In their order in the queue.
    void know_delivery(broker::session_index to, std::int64_t sequence, const delivery& kept);
    void know_retained(const message_ptr& kept);
    void know_message(const message_ptr& kept, std::int64_t row);

    /// Of the messages known, how many no delivery and no topic has. Linear in them.
    std::size_t unreferenced_messages() const;

    // session_journal

    void session_changed(broker::session_index index, const broker::session& changed) override;
    void session_ended(broker::session_index index, const broker::session& ended) override;
    void subscribed(broker::session_index by, std::string_view filter,
                    const broker::subscription& to) override;
    void unsubscribed(broker::session_index by, std::string_view filter) override;
    void queued(broker::session_index to, const delivery& added) override;
    void first_sent(broker::session_index to, const delivery& sent) override;
    void received(broker::session_index by, std::uint16_t packet_id) override;
    void completed(broker::session_index by, const delivery& done) override;
    void dropped(broker::session_index to, const delivery& lost) override;
    void identifier_taken(broker::session_index from, std::uint16_t packet_id) override;
    void identifier_released(broker::session_index from, std::uint16_t packet_id) override;
    void retained(const message_ptr& kept, const message_ptr& replaced) override;
    void retained_removed(const message_ptr& removed) override;
    std::uint64_t position() const override;

    // Changes

    /// Whether there is something to take.
    bool has_changes() const;
    /// Bytes of memory of what was not taken yet.
    std::size_t change_bytes() const;
    /// Everything since the last take; `spent` is emptied, and its memory used for what comes.
    session_changes take(session_changes spent);

private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::storage
