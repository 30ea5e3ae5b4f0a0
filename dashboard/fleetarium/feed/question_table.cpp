#include <fleetarium/feed/question_table.hpp>

#include <fleetarium/feed/described_json.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

using json = nlohmann::json;

template <auto Ask>
struct entry;

/// An entry from the member of source that answers.
template <class Question, class Answer, Answer (source::*Ask)(const Question&)>
struct entry<Ask> {
    static json ask(source& of, const json& parameters, answer_form form) {
        Question asked;
        from_json(parameters, asked, "");
        if constexpr (std::is_same_v<Question, report_question>) {
            return json::parse((of.*Ask)(asked).text);
        } else {
            return to_json((of.*Ask)(asked), form);
        }
    }
    static std::any ask_value(source& of, const std::any& question) {
        return (of.*Ask)(std::any_cast<const Question&>(question));
    }
    static json question_json(const std::any& question) {
        return to_json(std::any_cast<const Question&>(question), answer_form::cbor);
    }
    static std::any answer_value(const json& answer) {
        Answer out;
        if constexpr (std::is_same_v<Question, report_question>) {
            out.text = answer.dump();
        } else {
            from_json(answer, out, "");
        }
        return out;
    }
    static json answer_schema() {
        if constexpr (std::is_same_v<Question, report_question>) {
            return {{"type", "object"}};
        } else {
            return schema_of<Answer>();
        }
    }
    static constexpr question_entry make(std::string_view what, bool is_command) {
        static_assert(std::is_same_v<Answer, typename Question::answer>);
        return {Question::name_of_question,
                what,
                is_command,
                ask,
                ask_value,
                question_json,
                answer_value,
                parameters_schema_of<Question>,
                answer_schema};
    }
};

template <auto Ask>
constexpr question_entry question(std::string_view what) {
    return entry<Ask>::make(what, false);
}

template <auto Do>
constexpr question_entry command(std::string_view what) {
    return entry<Do>::make(what, true);
}

constexpr question_entry table[] = {
    question<&source::describe>("What is shown, and what can be done with it."),
    question<&source::totals>("How everything stands at an instant."),
    question<&source::history>(
        "Totals over time, from which rates, percentiles and heat maps are taken."),
    question<&source::timeline>("Faults, violations and marks, to be laid over every chart."),
    question<&source::log>("The newest lines of the log."),
    question<&source::topics>("A level of the topic tree, or topics found."),
    question<&source::fleet>("All devices as cells, by state and by a measure."),
    question<&source::cell>("The device at a place of the fleet map."),
    question<&source::devices>("Devices, sorted and searched."),
    question<&source::device>("One device: session, subscriptions, and what happened to it."),
    question<&source::messages>("Messages, the newest first, filtered."),
    question<&source::message>("One message: its content, its deliveries, and its journey."),
    question<&source::report>("The report of the run so far, as --report writes it."),
    command<&source::pause>("Pauses the run, or lets it go on."),
    command<&source::step>("Runs a paused run on, by events or time."),
    command<&source::speed>("Sets how fast time passes."),
    command<&source::end>("Ends the run now, with its report."),
    command<&source::fault>("Begins a fault."),
    command<&source::heal>("Ends a fault that was begun by hand."),
    command<&source::publish>("Publishes a message at a broker."),
    command<&source::disconnect>("Lets a broker disconnect a client."),
    command<&source::annotate>("Writes a remark down."),
};

}  // namespace

std::span<const question_entry> question_table() { return table; }

const question_entry* find_question(std::string_view name) {
    const auto found = std::find_if(std::begin(table), std::end(table),
                                    [&](const question_entry& each) { return each.name == name; });
    return found == std::end(table) ? nullptr : found;
}

std::string nearest_question(std::string_view name) {
    std::vector<std::string_view> names;
    for (const question_entry& each : table) {
        names.push_back(each.name);
    }
    return config::nearest_name(name, names);
}

}  // namespace fleetarium::feed
