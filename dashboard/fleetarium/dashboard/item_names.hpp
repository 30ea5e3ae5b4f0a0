#pragma once

#include <imgui.h>

#include <map>
#include <string>
#include <string_view>

namespace fleetarium::dashboard {

/// Where named things were drawn, while one of these is there: the eyes of tests. The product has
/// none, and naming costs it a look at a pointer.
class item_names {
public:
    item_names();
    item_names(const item_names&) = delete;
    item_names& operator=(const item_names&) = delete;
    ~item_names();

    void clear() { places_.clear(); }
    /// Left, top, right, bottom; null if nothing of that name was drawn since `clear`.
    const ImVec4* find(std::string_view name) const;
    std::string list() const;

    void add(std::string_view name, ImVec2 from, ImVec2 to);

private:
    std::map<std::string, ImVec4, std::less<>> places_{};
    item_names* outer_;
};

/// Names the item that was drawn last.
void name_item(std::string_view name);
/// Names an area.
void name_area(std::string_view name, ImVec2 from, ImVec2 to);

}  // namespace fleetarium::dashboard
