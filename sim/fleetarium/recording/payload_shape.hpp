#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/latency_histogram.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What payloads of one kind have in common, as the template of a scenario.
namespace fleetarium::recording {

/// Some payloads of a kind of message: of a few topics, so many in a row.
struct payload_samples {
    struct sample {
        duration at{};  ///< since 1970
        std::string payload{};
    };
    struct series {
        std::int64_t topic = 0;
        std::string client_id{};  ///< of its publisher; empty: not known
        std::vector<sample> samples{};
    };
    std::vector<series> all{};

    static constexpr std::size_t series_max = 32;
    static constexpr std::size_t samples_max = 48;
    static constexpr std::size_t payload_bytes_max = 16'384;

    /// Keeps it if there is room.
    void add(std::int64_t topic, std::string_view client_id, duration at, bytes_view payload);
};

struct payload_shape {
    std::string payload{};     ///< JSON: the value of "payload"
    std::string generators{};  ///< JSON: a list of what it needs, perhaps empty
    std::string what{};        ///< "JSON", "text" or "bytes"
};

/// A template that renders as the text.
std::string as_template(std::string_view text);

/// `bytes` are the sizes of all payloads. Generators' names begin with `prefix`.
payload_shape learn_payload(const payload_samples& from, const latency_histogram& bytes,
                            std::string_view prefix);

}  // namespace fleetarium::recording
