#pragma once

#include <fleetarium/dashboard/payload_widget.hpp>
#include <fleetarium/dashboard/sequence_model.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace fleetarium::dashboard {

/// One message: its journey as a sequence diagram, its deliveries, its properties, its payload.
/// An arrow and its delivery find each other: what the pointer is on lights up in both.
class message_panel final : public panel {
public:
    view described() const override;
    void draw(viewer_context& in) override;

    std::optional<std::size_t> lit() const { return lit_; }

private:
    void draw_head(viewer_context& in, const feed::message_answer& of) const;
    void draw_diagram();
    void draw_columns(ImVec2 origin, float width, float height) const;
    void draw_line(const sequence_line& line, ImVec2 origin);
    void draw_arrow(const sequence_line& line, ImVec2 origin);
    void draw_note(const sequence_line& line, ImVec2 origin);
    void draw_deliveries(viewer_context& in, const feed::message_answer& of);
    void draw_properties(const feed::message_answer& of) const;
    float x_of(std::size_t column) const;

    float column_width_ = 0;  ///< of the diagram, as there is room

    watched_question<feed::message_question> message_{};
    std::uint64_t laid_out_version_ = 0;
    sequence sequence_{};
    payload_widget payload_{};
    std::optional<std::size_t> lit_{};  ///< delivery under the pointer, in the last frame
    std::optional<std::size_t> lit_next_{};
};

}  // namespace fleetarium::dashboard
