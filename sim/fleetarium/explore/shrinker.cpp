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

void erase_member(json_value& object, std::string_view name) {
    const auto of_that_name = [&](const json_member& each) { return each.name == name; };
    object.members.erase(std::remove_if(object.members.begin(), object.members.end(), of_that_name),
                         object.members.end());
}

/// The lists that a scenario's size is in, biggest parts first.
constexpr std::array<std::string_view, 4> lists_of_scenario{"faults", "fleets", "expectations",
                                                            "networks"};
constexpr std::array<std::string_view, 5> lists_of_fleet{"publications", "subscriptions", "replies",
                                                         "generators", "stages"};

/// Other draws that may show the failure where those of the present seed do not any more.
constexpr std::uint64_t other_seeds = 12;

/// How many times as much each device says in runs that are tried before it is held to be needed:
/// few that hurry show what many do.
constexpr std::array<std::int64_t, 3> hastes{1, 4, 16};

/// As long as that makes no run of more devices' messages than this many times those of the first.
constexpr std::int64_t load_max = 4;

json_value* element(json_value* list, std::size_t which) {
    return list != nullptr && which < list->elements.size() ? &list->elements[which] : nullptr;
}

std::int64_t devices_of(json_value& root) {
    std::int64_t sum = 0;
    json_value* const fleets = root.find("fleets");
    for (std::size_t i = 0; element(fleets, i) != nullptr; ++i) {
        const json_value* const count = fleets->elements[i].find("count");
        sum += count == nullptr ? 1 : config::json_integer(*count).value_or(1);
    }
    return sum;
}

class shrinker {
public:
    shrinker(json_value document, const failure& why, const shrink_options& options)
        : options_(options) {
        out_.document = std::move(document);
        out_.why = why;
        if (const json_value* const written = out_.document.find("duration")) {
            full_length_ = *written;
        }
        devices_at_first_ = devices_of(out_.document);
        for_each_publication(out_.document, [this](json_value& one) {
            const json_value* const count = one.find("count");
            const auto given = count == nullptr ? std::nullopt : config::json_integer(*count);
            most_at_first_ = given ? std::max(*given, most_at_first_.value_or(0)) : most_at_first_;
        });
    }

    /// What costs one run each goes first. What is left then is as large as it is, more often than
    /// not, because the device that fails in the time left is not the one that would stay: so
    /// devices and faults are left out with more effort at the end.
    shrunk run() {
        cut_time();
        do {
            while (shrink_plainly()) {
            }
        } while (std::any_of(hastes.begin(), hastes.end(),
                             [&](std::int64_t haste) { return shrink_with_other_runs(haste); }));
        count();
        return std::move(out_);
    }

private:
    using finder = std::function<json_value*(json_value& root)>;

    bool shrink_plainly() {
        bool smaller = false;
        for (const std::string_view each : lists_of_scenario) {
            smaller |= thin_out([&](json_value& root) { return root.find(each); });
        }
        smaller |= shrink_fleets();
        smaller |= cut_time();
        smaller |= leave_members_out();
        return smaller && !stopped_;
    }

    bool shrink_with_other_runs(std::int64_t haste) {
        haste_ = haste;
        bool smaller = thin_out([](json_value& root) { return root.find("fleets"); });
        for (std::size_t i = 0; element(out_.document.find("fleets"), i) != nullptr; ++i) {
            smaller |= lower([i](json_value& root) { return element(root.find("fleets"), i); },
                             "count", 1);
        }
        smaller |= thin_out([](json_value& root) { return root.find("faults"); });
        haste_.reset();
        return smaller && !stopped_;
    }

    /// Takes the candidate if its run breaks the same rule, or another run that it may become.
    bool take_if_same(json_value candidate) {
        if (!haste_) {
            return take_if_its_run_is_same(std::move(candidate));
        }
        if (*haste_ != 1 && *haste_ * devices_of(candidate) > load_max * devices_at_first_) {
            return false;
        }
        give_room(candidate);
        hasten(candidate, *haste_);
        if (take_if_its_run_is_same(candidate)) {
            return true;
        }
        for (std::uint64_t seed = 1; seed <= other_seeds; ++seed) {
            set_member(candidate, "seed", config::json_number(std::to_string(seed)));
            if (take_if_its_run_is_same(candidate)) {
                return true;
            }
        }
        return false;
    }

    /// As long a run as at the beginning, and as many messages as come in it.
    void give_room(json_value& root) const {
        if (full_length_) {
            set_member(root, "duration", *full_length_);
        }
        for_each_publication(root, [this](json_value& one) {
            json_value* const count = one.find("count");
            const auto present = count == nullptr ? std::nullopt : config::json_integer(*count);
            if (present && most_at_first_) {
                // It was there from the beginning: without any there could be millions.
                *count = config::json_number(std::to_string(std::max(*present, *most_at_first_)));
            } else {
                erase_member(one, "count");
            }
        });
    }

    static void hasten(json_value& root, std::int64_t times) {
        for_each_publication(root, [&](json_value& one) {
            json_value* const period = one.find("period");
            const auto present =
                period == nullptr ? std::nullopt : config::parse_duration(period->text);
            if (present && *present / times >= std::chrono::milliseconds{1}) {
                using std::chrono::milliseconds;
                *period = config::json_string(
                    config::duration_text(std::chrono::floor<milliseconds>(*present / times)));
            }
        });
    }

    template <class Visitor>
    static void for_each_publication(json_value& root, Visitor&& visit) {
        json_value* const fleets = root.find("fleets");
        for (std::size_t i = 0; element(fleets, i) != nullptr; ++i) {
            json_value* const publications = fleets->elements[i].find("publications");
            for (std::size_t k = 0; element(publications, k) != nullptr; ++k) {
                visit(publications->elements[k]);
            }
        }
    }

    bool take_if_its_run_is_same(json_value candidate) {
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
    std::optional<json_value> full_length_;
    std::int64_t devices_at_first_ = 0;
    std::optional<std::int64_t> most_at_first_;  ///< messages a publication; none had a limit
    std::optional<std::int64_t> haste_;  ///< of other runs, if they are tried
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
