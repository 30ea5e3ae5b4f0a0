#include <fleetarium/client/reason_error.hpp>

#include <string>

namespace fleetarium {

namespace {

class mqtt_category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "mqtt"; }

    std::string message(int value) const override {
        constexpr char digits[] = "0123456789ABCDEF";
        const auto code = static_cast<std::uint8_t>(value);
        std::string made(name_of(static_cast<reason_code>(code)));
        made += " (0x";
        made += digits[code >> 4];
        made += digits[code & 15];
        return made + ')';
    }
};

}  // namespace

const boost::system::error_category& reason_category() noexcept {
    static const mqtt_category category;
    return category;
}

}  // namespace fleetarium
