#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/testing/message_log.hpp>
#include <fleetarium/testing/message_probe.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fleetarium::testing {

/// The client of a probe, wherever it lives: it adds what arrives to the log.
class probe_backend {
public:
    virtual ~probe_backend() = default;

    virtual instant now() const = 0;

    /// Lets time pass until log.changes() is no longer `seen`, or that instant has come.
    virtual void pass_time(std::uint64_t seen, instant until) = 0;

    /// Whether all subscriptions are acknowledged.
    virtual bool is_subscribed() const = 0;

    /// That will not come any more.
    virtual bool is_refused() const = 0;

    /// What is wrong with the connection, as a sentence; empty if nothing is.
    virtual std::string trouble() const = 0;
};

class message_probe::implementation {
public:
    /// Throws std::invalid_argument for a filter that is none.
    explicit implementation(const probe_options& options);

    /// Waits until the probe is subscribed; throws probe_error if it is not in time.
    void begin(std::unique_ptr<probe_backend> backend);

    detail::message_log& log() { return *log_; }
    probe_outcome wait(detail::message_wish wish);
    probe_outcome expect_none(detail::message_wish wish);

private:
    /// Whether the search came to its end in time.
    bool search_until(detail::message_log::search& search, instant deadline);
    std::string describe_state(std::string_view verb) const;

    const probe_options options_;
    std::unique_ptr<detail::message_log> log_;
    std::unique_ptr<probe_backend> backend_;
};

}  // namespace fleetarium::testing
