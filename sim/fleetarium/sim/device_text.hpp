#pragma once

#include <fleetarium/sim/text_template.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// A template as the devices of one fleet use it. Names are put in once for the fleet, so that
/// what is left in nearly all topics is literals and the device's number, which are written
/// without looking at anything else; what is the same for all messages is not even copied.
class device_text {
public:
    device_text() = default;

    /// `client_id` is the fleet's template of client ids. Throws std::invalid_argument.
    device_text(const std::string& source, template_use use, const std::string& fleet,
                const std::string& client_id, std::span<const generator_names> generators = {});

    /// Whether each rendering is the same, and is `constant()`.
    bool is_constant() const { return kind_ == kind::constant; }
    const std::string& constant() const { return literals_.front(); }

    /// Whether the text may differ between devices.
    bool differs_by_device() const { return compiled_.differs_by_device(); }
    std::size_t walk_count() const { return compiled_.walk_count(); }
    std::span<const generator_use> generator_uses() const { return compiled_.generator_uses(); }

    /// Appends the text for a device. `values` has all but the fleet and the client id, which is
    /// needed only where `needs_client_id()`.
    void render(const template_values& values, std::string& out) const {
        if (kind_ == kind::indexed) {
            append_indexed(values.index, out);
        } else if (kind_ == kind::constant) {
            out += literals_.front();
        } else {
            compiled_.render(values, out);
        }
    }

    bool needs_client_id() const { return kind_ == kind::any && needs_client_id_; }

private:
    enum class kind : std::uint8_t { constant, indexed, any };

    void append_indexed(std::uint64_t index, std::string& out) const;
    bool read_indexed(std::string_view source);

    kind kind_ = kind::constant;
    bool needs_client_id_ = false;
    std::vector<std::string> literals_{std::string()};  // with a number between each two
    std::vector<std::uint8_t> widths_;                  // digits at least, of each number
    std::uint8_t widest_ = 1;
    std::size_t literals_size_ = 0;
    text_template compiled_;
};

}  // namespace fleetarium::sim::detail
