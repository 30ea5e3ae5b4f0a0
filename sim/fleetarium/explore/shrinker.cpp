#include <fleetarium/explore/shrinker.hpp>

#include <fleetarium/config/document.hpp>
#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/scenario_fields.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace fleetarium::sim {

using config::json_kind;
using config::json_member;
using config::json_value;

namespace {

void set_member(json_value& object, std::string_view name, json_value value) {
    if (json_value* const known = object.find(name)) {
        *known = std::move(value);
    } else {
        object.members.push_back({std::string(name), {}, std::move(value)});
    }
}

/// The lists that a scenario's size is in, biggest parts first.
constexpr std::array<std::string_view, 4> lists_of_scenario{"faults", "fleets", "expectations",
                                                            "networks"};
constexpr std::array<std::string_view, 5> lists_of_fleet{"publications", "subscriptions", "replies",
                                                         "generators", "stages"};

class shrinker {
public:
    shrinker(json_value document, const failure& why, const shrink_options& options)
        : options_(options) {
        out_.document = std::move(document);
        out_.why = why;
    }

    shrunk run() {
        cut_time();
        for (bool smaller = true; smaller && !stopped_;) {
            smaller = false;
            for (const std::string_view each : lists_of_scenario) {
                smaller |= thin_out([&](json_value& root) { return root.find(each); });
            }
            smaller |= shrink_fleets();
            smaller |= cut_time();
            smaller |= leave_members_out();
        }
        count();
        return std::move(out_);
    }

private:
    using finder = std::function<json_value*(json_value& root)>;

    /// Takes the candidate if its run breaks the same rule.
    bool take_if_same(json_value candidate) {
        if (stopped_ || (options_.may_go_on && !options_.may_go_on())) {
            stopped_ = true;
            return false;
        }
        const auto read = parse_scenario(config::json_compact(candidate), options_.file_name);
        const auto* const valid = std::get_if<scenario>(&read);
        if (valid == nullptr) {
            return false;  // something left needs what was left out
        }
        ++out_.trials;
        const trial tried = try_scenario(*valid, options_.judge);
        const failure* const same = tried.find(out_.why.rule);
        if (same == nullptr) {
            return false;
        }
        ++out_.steps;
        out_.why = *same;
        out_.document = std::move(candidate);
        return true;
    }

    /// A copy with the found value changed; none if there is nothing to change.
    template <class Change>
    bool try_change(const finder& find, Change&& change) {
        json_value candidate = out_.document;
        json_value* const found = find(candidate);
        return found != nullptr && change(*found) && take_if_same(std::move(candidate));
    }

    /// Nothing after the failure matters.
    bool cut_time() {
        const json_value* const written = out_.document.find("duration");
        const auto now = written == nullptr ? std::nullopt : config::parse_duration(written->text);
        if (!now) {
            return false;
        }
        const auto try_length = [&](duration length) {
            return length > duration{} && length < *now &&
                   try_change([](json_value& root) { return root.find("duration"); },
                              [&](json_value& value) {
                                  value = config::json_string(config::duration_text(length));
                                  return true;
                              });
        };
        using std::chrono::milliseconds;
        const duration at = out_.why.at.time_since_epoch();
        const duration behind = std::chrono::floor<milliseconds>(at) + milliseconds{1};
        return try_length(behind) || try_length(*now / 2) || try_length(*now / 4 * 3);
    }

    /// Delta debugging: leaves out halves, quarters and so on to single elements.
    bool thin_out(const finder& find) {
        bool smaller = false;
        const json_value* list = find(out_.document);
        if (list == nullptr || list->kind != json_kind::array) {
            return false;
        }
        for (std::size_t chunk = std::max<std::size_t>(list->elements.size(), 1); chunk != 0;
             chunk /= 2) {
            for (std::size_t begin = 0;;) {
                list = find(out_.document);
                if (list == nullptr || begin >= list->elements.size() || stopped_) {
                    break;
                }
                const bool left_out = try_change(find, [&](json_value& in) {
                    const auto from = in.elements.begin() + static_cast<std::ptrdiff_t>(begin);
                    const std::size_t count = std::min(chunk, in.elements.size() - begin);
                    in.elements.erase(from, from + static_cast<std::ptrdiff_t>(count));
                    return true;
                });
                smaller |= left_out;
                begin += left_out ? 0 : chunk;
            }
        }
        return smaller;
    }

    static json_value* element(json_value* list, std::size_t which) {
        return list != nullptr && which < list->elements.size() ? &list->elements[which] : nullptr;
    }

    bool shrink_fleets() {
        bool smaller = false;
        for (std::size_t i = 0; element(out_.document.find("fleets"), i) != nullptr; ++i) {
            const finder fleet = [i](json_value& root) { return element(root.find("fleets"), i); };
            smaller |= lower(fleet, "count", 1);
            for (const std::string_view each : lists_of_fleet) {
                smaller |= thin_out([&](json_value& root) { return fleet(root)->find(each); });
            }
            // Looked up anew each time: the document is another one after each change.
            const auto publication = [&](std::size_t k) {
                return element(fleet(out_.document)->find("publications"), k);
            };
            for (std::size_t k = 0; publication(k) != nullptr && !stopped_; ++k) {
                smaller |= lower(
                    [&fleet, k](json_value& root) {
                        return element(fleet(root)->find("publications"), k);
                    },
                    "count", std::nullopt);
            }
        }
        return smaller;
    }

    /// The smallest of a few values below the present one that will do; `preset` is what holds
    /// where nothing is said, none: no bound.
    bool lower(const finder& object, std::string_view name, std::optional<std::int64_t> preset) {
        const json_value* const present = object(out_.document)->find(name);
        const auto now = present != nullptr ? config::json_integer(*present) : preset;
        std::vector<std::int64_t> choices{1, 2, 3, 5, 10, 20, 50, 100};
        if (now) {
            choices.push_back(*now / 2);
            choices.push_back(*now - 1);
        }
        std::sort(choices.begin(), choices.end());
        for (const std::int64_t each : choices) {
            if (each < 1 || (now && each >= *now)) {
                continue;
            }
            if (try_change(object, [&](json_value& in) {
                    set_member(in, name, config::json_number(std::to_string(each)));
                    return true;
                })) {
                return true;
            }
        }
        return false;
    }

    /// Whatever is not needed goes: the reader refuses what has to be there.
    bool leave_members_out() {
        return leave_members_out([](json_value& root) { return &root; });
    }

    bool leave_members_out(const finder& find) {
        bool smaller = false;
        json_value* const here = find(out_.document);
        if (here == nullptr || stopped_) {
            return false;
        }
        if (here->kind == json_kind::array) {
            for (std::size_t i = 0; element(find(out_.document), i) != nullptr; ++i) {
                smaller |= leave_members_out(
                    [&find, i](json_value& root) { return element(find(root), i); });
            }
            return smaller;
        }
        for (std::size_t i = here->members.size(); i-- != 0;) {
            const std::string& name = find(out_.document)->members[i].name;
            if (name == "seed" || name == "count") {
                continue;  // its default is as small, or larger
            }
            if (try_change(find, [&](json_value& in) {
                    in.members.erase(in.members.begin() + static_cast<std::ptrdiff_t>(i));
                    return true;
                })) {
                smaller = true;
                continue;
            }
            smaller |= leave_members_out([&find, i](json_value& root) -> json_value* {
                json_value* const object = find(root);
                return object != nullptr && i < object->members.size() ? &object->members[i].value
                                                                       : nullptr;
            });
        }
        return smaller;
    }

    void count() {
        const auto read = parse_scenario(config::json_compact(out_.document), options_.file_name);
        if (const auto* const valid = std::get_if<scenario>(&read)) {
            for (const fleet_spec& each : valid->fleets) {
                out_.devices += each.count;
            }
            out_.faults = valid->faults.size();
        }
    }

    const shrink_options& options_;
    shrunk out_;
    bool stopped_ = false;
};

}  // namespace

json_value document_of(std::string_view text, std::span<const std::string> overrides,
                       const finding& found) {
    config::detail::document document(text, "", "a scenario", "fleets.doors.count=10");
    for (const std::string& each : overrides) {
        document.set(each, each);
    }
    json_value out = *document.root();
    set_member(out, "seed", config::json_number(std::to_string(found.seed)));
    std::vector<json_value> faults;
    for (const fault_spec& each : found.what.faults) {
        faults.push_back(config::detail::write_object(detail::fault_type(), each));
    }
    if (!faults.empty()) {
        // The scenario's own are the first of them; those keep the form in which they were written.
        const json_value* const own = out.find("faults");
        for (std::size_t i = 0; own != nullptr && i < own->elements.size(); ++i) {
            faults[i] = own->elements[i];
        }
        set_member(out, "faults", config::json_array(std::move(faults)));
    }
    return out;
}

shrunk shrink(json_value document, const failure& why, const shrink_options& options) {
    return shrinker(std::move(document), why, options).run();
}

}  // namespace fleetarium::sim
