#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Payloads of Sparkplug B (version 3.0 of the specification): as plain values of a publication
/// or a will, and the bytes that they become. preset.hpp makes whole edge nodes of them.
namespace fleetarium::sim {

/// Data types of metrics, in the order of their codes, which begin with 1.
enum class sparkplug_type : std::uint8_t {
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float_number,
    double_number,
    boolean,
    string,
    date_time,  ///< milliseconds since 1970
    text,
    uuid,
};

struct sparkplug_metric {
    std::string name{};
    sparkplug_type type = sparkplug_type::double_number;
    /// Template; what it renders as is read as the type. Whole numbers are rounded to; "true" and
    /// numbers but 0 are true. What is missing, or no value of the type, is sent as null.
    std::string value{};
    /// In births beside the name, else in place of it. Different for all metrics of an edge node.
    std::optional<std::uint64_t> alias{};
    std::string unit{};  ///< property engUnit of births; empty: none
};

enum class sparkplug_message : std::uint8_t {
    nbirth,  ///< begins with 0 to count; has bdSeq and Node Control/Rebirth beside its metrics
    ndeath,  ///< of a will: bdSeq alone
    dbirth,
    ddeath,
    ndata,
    ddata,
    ncmd,
    dcmd,
    state_online,   ///< STATE of a host application, JSON
    state_offline,  ///< of its will
};

/// A payload of Sparkplug. Time stamps are virtual time, as if the run began on 2000-01-01.
///
/// An edge node counts its messages (seq) and its connects (bdSeq, from 0) by itself. A device
/// below it lives from the beginning; a DDEATH that falls due ends its life, and a DBIRTH that
/// falls due begins it anew. While it is dead it says nothing, and while it lives no second DBIRTH
/// falls due; a DBIRTH after a connect or a message is only for the living.
struct sparkplug_payload {
    sparkplug_message message = sparkplug_message::ndata;
    std::string device{};  ///< of DBIRTH, DDATA and DDEATH: which one below the node
    std::vector<sparkplug_metric> metrics{};
};

/// Whether a payload, of NCMD or DCMD, sets the metric of this name to true. False for what is no
/// payload of Sparkplug. Linear; allocates nothing.
bool sparkplug_sets(bytes_view payload, std::string_view metric);

namespace detail {

/// Milliseconds since 1970 of a moment in virtual time.
std::uint64_t unix_milliseconds(instant at);

/// Whether the text is a value of the type.
bool is_sparkplug_value(sparkplug_type type, std::string_view text);

/// Writes payloads in the wire format of Protocol Buffers, one after the other. Allocates nothing
/// once its buffers have grown.
class sparkplug_writer {
public:
    /// Which of a metric's parts a message has.
    enum class form : std::uint8_t { birth, data, command };

    /// Appends to `out`, which has to live as long.
    void begin(std::string& out, instant now);
    void add(const sparkplug_metric& metric, form how, std::string_view value, bool missing);
    void add_birth_sequence(std::uint8_t number);
    void add_rebirth_control();
    void end(std::optional<std::uint8_t> sequence);

private:
    void add_metric();

    std::string* out_ = nullptr;
    std::uint64_t time_ = 0;
    std::string metric_;
    std::string inner_;
    std::string innermost_;
};

}  // namespace detail

}  // namespace fleetarium::sim
