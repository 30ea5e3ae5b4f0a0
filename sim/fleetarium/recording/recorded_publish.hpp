#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/recording/recorded_rows.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace fleetarium::recording {

/// Makes PUBLISH packets of recorded messages.
class recorded_publish {
public:
    recorded_publish();
    ~recorded_publish();

    /// The packet of a message, without packet id and flags; views are valid until the next call,
    /// and as long as the row's are. `waited`: seconds that the broker held it, which are taken off
    /// its Message Expiry Interval. Properties that cannot be read are left out.
    publish make(const message_row& row, std::string_view topic, std::uint32_t waited);

private:
    struct properties;
    void read(std::string_view json, publish& out);

    std::unique_ptr<properties> read_;
};

}  // namespace fleetarium::recording
