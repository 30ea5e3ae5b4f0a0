#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/distribution.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// What goes wrong in a world, as plain values. Each fault is an event of the trace: the same seed
/// gives the same faults at the same devices.
namespace fleetarium::sim {

/// Kinds of faults. Those marked "at once" happen at one instant; the others last.
enum class fault_kind : std::uint8_t {
    cut,            ///< links break at once; what is under way is lost; both sides learn of it
    half_open,      ///< links break at once, and one side goes on as if nothing had happened
    partition,      ///< nothing arrives; it comes when the partition heals, as TCP sends it again
    latency,        ///< bytes take longer, by as much as is drawn
    bandwidth,      ///< bytes follow one another no faster than this
    split,          ///< chunks arrive cut at a random byte, as often as `probability` says
    cut_in_packet,  ///< a link breaks within the n-th packet of a type that is sent from now on
    slow_reader,    ///< devices read nothing: the broker's socket to them fills up
    power_loss,     ///< devices are off, without a farewell; what was in their memory is gone
    hostile_bytes,  ///< devices send random bytes, at once
    broker_stop,    ///< the broker says "server shutting down" and keeps everything
    broker_crash,   ///< the broker is gone; what it keeps says `keeps_sessions`
    take_over,      ///< another client connects with the devices' client ids
    clock_skew,     ///< the devices' clocks go wrong, by `rate`, or are off by `offset`
};
inline constexpr std::size_t fault_kind_count = 14;

/// Which way bytes go.
enum class link_direction : std::uint8_t { both, up, down };

/// A side of a link.
enum class link_side : std::uint8_t { device, broker };

/// A fault, once or again and again, at some devices or at a broker.
struct fault_spec {
    std::string name{};  ///< for the report and the draws; empty: the kind
    enum fault_kind kind = fault_kind::cut;
    duration at{};  ///< of the first one, from the run's beginning
    /// Of the kinds that last, which need it; above 0. A take_over may have it: how long the other
    /// client stays, unless the device is back before; without it, until it is connected.
    std::optional<distribution> lasts{};
    std::optional<distribution> every{};   ///< from one beginning to the next; none: once
    std::optional<duration> until{};       ///< none begins from here on
    std::optional<std::uint32_t> count{};  ///< how many begin at most

    // Where. Faults of brokers hit `broker`; the others the links of devices.
    std::string fleet{};   ///< its devices; empty: those of all fleets
    std::string cohort{};  ///< of the fleet's behaviour: only its devices
    std::string broker{};  ///< links to it alone; of a broker's fault the broker, empty: the first
    std::optional<std::uint32_t> first_device{};  ///< index in the fleet
    std::optional<std::uint32_t> last_device{};   ///< the same, itself among them
    double share = 1;                             ///< 0..1 of those devices, drawn anew each time

    // What, for the kinds named. Others leave it alone.
    std::optional<link_direction> direction{};        ///< partition, latency, bandwidth, split,
                                                      ///< cut_in_packet; none: both
    std::optional<distribution> added_latency{};      ///< latency, which needs it: per chunk
    std::optional<std::uint64_t> bytes_per_second{};  ///< bandwidth, which needs it: 1 and up
    std::optional<double> probability{};              ///< split, which needs it: 0..1
    std::optional<packet_type> packet{};              ///< cut_in_packet; none: PUBLISH
    std::optional<std::uint32_t> packet_number{};     ///< cut_in_packet: which; none: the first, 1
    std::optional<std::uint32_t> byte{};  ///< cut_in_packet: so many get through; none: 0
    std::optional<std::uint32_t> size{};  ///< hostile_bytes: how many, 1 to 65,536; none: 16
    std::optional<link_side> knows{};     ///< half_open: who learns of it; none: the device
    /// broker_crash of a broker without storage: whether it would have kept sessions and retained
    /// messages; none: yes.
    std::optional<bool> keeps_sessions{};
    /// broker_crash of a broker with storage: whether its machine loses power, so that its disk
    /// keeps what was synced and any part of the rest; none: no, only its process dies.
    std::optional<bool> power_cut{};
    /// take_over: whether the other client ends the session that the device has, and begins one
    /// that ends with it; none: yes. Otherwise it is told of a session that it knows nothing of,
    /// closes at once, and leaves the session as it is.
    std::optional<bool> clean_start{};
    /// clock_skew, which needs one of these. Seconds by the devices' clocks in one second,
    /// 0.001 to 1,000: timers follow it, keep alive, schedules and back-off among them.
    std::optional<double> rate{};
    std::optional<duration> offset{};  ///< how much later they show it is; below 0: earlier
};

/// "power_loss".
std::string_view name_of(fault_kind kind);

/// Whether faults of the kind last; the others happen at once.
bool lasts(fault_kind kind);

/// Whether a fault of a kind that lasts may be over at once, too.
bool may_be_at_once(fault_kind kind);

/// Bounds of a fault_spec's `rate` and, either way, `offset`.
inline constexpr double clock_rate_min = 0.001;
inline constexpr double clock_rate_max = 1'000;
inline constexpr duration clock_offset_max = std::chrono::hours{24 * 3'650};

/// Whether a fault of the kind hits a broker, not devices.
bool hits_broker(fault_kind kind);

namespace detail {
class fault_engine;
}

/// A fault that lasts until this is destroyed, or told to heal: for tests that say what goes wrong
/// line by line. Movable. Must not outlive its world.
class [[nodiscard]] fault_guard {
public:
    fault_guard(detail::fault_engine& engine, std::uint32_t id) : engine_(&engine), id_(id) {}
    fault_guard(fault_guard&& other) noexcept;
    fault_guard& operator=(fault_guard&& other) noexcept;
    ~fault_guard() { heal(); }

    /// Ends the fault now. Idempotent.
    void heal();

private:
    detail::fault_engine* engine_;
    std::uint32_t id_;
};

}  // namespace fleetarium::sim
