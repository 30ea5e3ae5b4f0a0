#pragma once

#include <fleetarium/dashboard/payload_model.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace fleetarium::dashboard {

/// Shows a payload: in the format that it most likely has, or in the one that the person chose; or
/// how it differs from the payload before. V chooses the next format, D shows the difference.
class payload_widget {
public:
    /// In the room that is left. `key` tells payloads apart: what was computed is kept until it is
    /// another. `id` names it for tests.
    void draw(const char* id, std::uint64_t key, const std::string& topic,
              const feed::payload_view& payload, const feed::payload_view* before);

    payload_format format() const { return format_; }
    bool shows_difference() const { return differs_; }

private:
    void take(std::uint64_t key, const std::string& topic, const feed::payload_view& payload,
              const feed::payload_view* before);
    void draw_choice(const char* id, bool has_before);
    void draw_text() const;
    void draw_tree();
    void draw_hex() const;
    void draw_difference() const;
    void remake();

    std::optional<std::uint64_t> key_{};
    std::string bytes_{};
    std::string before_{};
    std::optional<payload_format> chosen_{};  ///< by the person; stays for the next payloads
    payload_format likely_ = payload_format::text;
    payload_format format_ = payload_format::text;
    bool differs_ = false;
    std::optional<payload_tree> tree_{};
    std::vector<std::string> hex_{};
    std::vector<payload_change> changes_{};
    std::set<std::size_t> closed_{};  ///< nodes of the tree whose members are folded
};

}  // namespace fleetarium::dashboard
