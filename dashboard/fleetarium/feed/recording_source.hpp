#pragma once

#include <fleetarium/feed/source.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace fleetarium::feed {

struct recording_parts;

/// A recording file, at any instant: of a run, a broker or a subscriber, whole, cut short, or still
/// being written, of which it takes what comes.
///
/// - Counts are since `begin` of the description: what was given up for space is not among them.
/// - All that is counted comes from one pass over the file, on a thread of its own; until it is
///   through, `complete` of totals is false, and counts are those of what has been read.
/// - `at` of an answer is the instant that is shown. It is the one that was asked for where at most
///   20,000 messages lie around it in two of up to 2,048 intervals of the recording; in denser ones
///   it is the begin of the interval. The most that was queued and in flight is that of the
///   intervals' ends.
/// - Of a run under way deliveries are known when they have ended.
/// - Retained messages that expired count on; there is no row of that.
/// - A device is `faulted` where a fault certainly hits it, not where it may be one of a share.
///
/// Memory: names, 44 bytes a connection, 24 a subscription, and traffic_index.
/// Thread rule: one thread. What cannot be read later on is a feed_error.
class recording_source final : public source {
public:
    struct options {
        std::size_t messages_at_once = 50'000;  ///< counted before the constructor returns
    };

    /// Throws recording_error as recording_reader does.
    explicit recording_source(const std::string& path);
    recording_source(const std::string& path, const options& how);
    ~recording_source() override;

    /// Until all that is in the file has been counted, or cannot be.
    void wait_until_complete();
    /// Of what has been counted.
    std::size_t index_bytes();

    description describe(const description_question& asked) override;
    feed::totals totals(const totals_question& asked) override;
    history_answer history(const history_question& asked) override;
    timeline_answer timeline(const timeline_question& asked) override;
    log_answer log(const log_question& asked) override;
    topics_answer topics(const topics_question& asked) override;
    fleet_answer fleet(const fleet_question& asked) override;
    device_row cell(const cell_question& asked) override;
    devices_answer devices(const devices_question& asked) override;
    device_answer device(const device_question& asked) override;
    messages_answer messages(const messages_question& asked) override;
    message_answer message(const message_question& asked) override;
    report_answer report(const report_question& asked) override;

private:
    std::unique_ptr<recording_parts> parts_;
};

}  // namespace fleetarium::feed
