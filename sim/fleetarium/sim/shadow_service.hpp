#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// Plays the back end of device shadows, as AWS IoT has it, for the fleet's devices together: they
/// share one store. A device of the fleet answers what it receives on
/// `PREFIX/THING/shadow/{get,update,delete}` and `PREFIX/THING/shadow/name/NAME/...`, to which the
/// fleet has to subscribe.
struct shadow_service_spec {
    std::string prefix = "$aws/things";
};

namespace detail {

/// The documents, and the rules of the service: a version that rises with each change; desired and
/// reported merged member by member, null removing; delta where they differ; 400, 404, 409 and 413
/// with the texts of AWS. After a deletion the version goes on.
/// Thread rule: the fleet's.
class shadow_service {
public:
    /// What is published in answer, with QoS 1.
    struct answer {
        std::string topic;
        std::string payload;
    };

    explicit shadow_service(shadow_service_spec spec);
    ~shadow_service();

    /// Empty if the topic is none of the service's.
    std::vector<answer> handle(std::string_view topic, bytes_view payload, instant now);

    /// Bytes of document text held, as JSON without white space, for all things.
    std::size_t stored_bytes() const;

private:
    struct store;

    std::unique_ptr<store> store_;
};

}  // namespace detail

}  // namespace fleetarium::sim
