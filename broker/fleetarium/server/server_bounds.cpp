#include <fleetarium/server/server_connection.hpp>
#include <fleetarium/server/server_implementation.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::broker {

namespace {

/// Connections over a bound that wait to say CONNECT, to be told then why they are refused;
/// whoever comes when there are that many is closed at once, and costs nothing more.
constexpr std::size_t refusals_open_max = 64;

}  // namespace

/// False: it is to be closed at once.
bool server::implementation::admit_connection(connection& arriving, connection_manner& manner) {
    using verdict = connection_limiter::verdict;
    listening_socket& by = *arriving.came_by;
    if (by.limiter) {
        const verdict found = by.limiter->arrive(arriving.from, net::real_now());
        arriving.is_counted = found == verdict::admitted;
        manner.refused = manner.refused || found != verdict::admitted;
        switch (found) {
            case verdict::admitted: break;
            case verdict::too_fast:
                ++counted_.rate_refused;
                manner.refusal = reason_code::connection_rate_exceeded;
                break;
            case verdict::address_too_fast:
                ++counted_.address_rate_refused;
                manner.refusal = reason_code::connection_rate_exceeded;
                break;
            case verdict::too_many_of_an_address:
                ++counted_.address_connections_refused;
                manner.refusal = reason_code::quota_exceeded;
                break;
        }
    }
    if (!manner.refused) {
        return true;
    }
    if (refusals_open_.fetch_add(1) < refusals_open_max) {
        arriving.is_refused = true;
        return true;
    }
    --refusals_open_;
    ++counted_.closed_unanswered;
    dismiss(arriving);
    return false;
}

/// A connection goes: it counts no more.
void server::implementation::dismiss(connection& gone) {
    if (std::exchange(gone.is_counted, false)) {
        gone.came_by->limiter->leave(gone.from, net::real_now());
    }
    if (std::exchange(gone.is_refused, false)) {
        --refusals_open_;
    }
    output_waiting_ -= std::exchange(gone.backlog_counted, 0);
    if (gone.waiting) {
        connects_held_ -= gone.waiting->bytes.size();
    }
}

void server::implementation::note_backlog(connection& of) {
    const std::size_t now = of.stream->backlog();
    if (now != of.backlog_counted) {
        output_waiting_ += now - of.backlog_counted;  // modulo 2^64, as unsigned numbers have it
        of.backlog_counted = now;
    }
}

server_counters server::implementation::counters() const {
    server_counters out;
    out.rate_refused = counted_.rate_refused;
    out.address_rate_refused = counted_.address_rate_refused;
    out.address_connections_refused = counted_.address_connections_refused;
    out.closed_unanswered = counted_.closed_unanswered;
    out.password_checks_refused = counted_.password_checks_refused;
    return out;
}

std::vector<metric_family> server::implementation::metrics_of_bounds() const {
    const server_counters counted = counters();
    const auto number = [](std::uint64_t count) { return static_cast<double>(count); };
    return {
        {"fleetarium_connections_over_bounds_total",
         "Connections refused by bounds of their listener, by bound.",
         metric_kind::counter,
         {{{{"bound", "connection_rate_max"}}, number(counted.rate_refused)},
          {{{"bound", "address_connection_rate_max"}}, number(counted.address_rate_refused)},
          {{{"bound", "address_connections_max"}}, number(counted.address_connections_refused)}}},
        {"fleetarium_connections_closed_unanswered_total",
         "Connections over a bound that were closed without waiting for their CONNECT.",
         metric_kind::counter,
         {{{}, number(counted.closed_unanswered)}}},
        {"fleetarium_password_checks_refused_total",
         "CONNECT packets refused because too many passwords were being checked.",
         metric_kind::counter,
         {{{}, number(counted.password_checks_refused)}}},
        {"fleetarium_output_waiting_bytes",
         "Bytes that wait for the sockets of clients.",
         metric_kind::gauge,
         {{{}, static_cast<double>(output_waiting_.load())}}},
    };
}

void server::implementation::wait_for_refusals() {
    refusal_timer_->expires_after(std::chrono::seconds{1});
    refusal_timer_->async_wait([this](boost::system::error_code cancelled) {
        if (cancelled || stopping_.load()) {
            return;
        }
        std::vector<std::string> lines;
        {
            const std::lock_guard turn(core_mutex_);
            lines = refusal_log_.poll(core_, counters(), net::real_now());
        }
        for (const std::string& line : lines) {
            log_(log_level::warning, line);
        }
        wait_for_refusals();
    });
}

}  // namespace fleetarium::broker
