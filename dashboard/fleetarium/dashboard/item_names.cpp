#include <fleetarium/dashboard/item_names.hpp>

namespace fleetarium::dashboard {

namespace {

item_names* watching = nullptr;

}  // namespace

item_names::item_names() : outer_(watching) { watching = this; }

item_names::~item_names() { watching = outer_; }

const ImVec4* item_names::find(std::string_view name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &found->second;
}

std::string item_names::list() const {
    std::string all;
    for (const auto& [name, place] : places_) {
        all += (all.empty() ? "" : ", ") + name;
    }
    return all;
}

void item_names::add(std::string_view name, ImVec2 from, ImVec2 to) {
    places_.insert_or_assign(std::string(name), ImVec4(from.x, from.y, to.x, to.y));
}

void name_item(std::string_view name) {
    if (watching != nullptr) {
        watching->add(name, ImGui::GetItemRectMin(), ImGui::GetItemRectMax());
    }
}

void name_area(std::string_view name, ImVec2 from, ImVec2 to) {
    if (watching != nullptr) {
        watching->add(name, from, to);
    }
}

}  // namespace fleetarium::dashboard
