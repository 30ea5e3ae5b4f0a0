#include <fleetarium/recording/subscriber_recorder.hpp>

#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/decision_note.hpp>
#include <fleetarium/recording/world_recorder.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace fleetarium::recording {

namespace {

using kind = traffic_note::kind;

recording_options of_subscriber(recording_options options) {
    options.kind = "subscriber";
    options.from = viewpoint::subscriber;
    return options;
}

}  // namespace

subscriber_recorder::subscriber_recorder(recording_options options, instant begin)
    : writer_(of_subscriber(options)), begin_(begin) {
    writer_.add(note_of(kind::broker, begin), options.source);
}

traffic_note subscriber_recorder::note_of(kind what, instant at) {
    newest_ = std::max(newest_, (at - begin_).count());
    traffic_note out;
    out.what = what;
    out.at = newest_;
    return out;
}

void subscriber_recorder::subscribed(std::string_view filter, reason_code code, instant at) {
    traffic_note note = note_of(kind::subscribed, at);
    note.code = static_cast<std::uint8_t>(code);
    writer_.add(note, filter);
}

void subscriber_recorder::heard(const publish& message, instant at) {
    properties_.clear();
    write_properties(message, properties_);
    traffic_note note = note_of(kind::heard, at);
    note.extra = traffic_note::not_known;
    add_message(writer_, note, message, properties_);
    ++messages_;
}

void subscriber_recorder::apart(std::string_view reason, instant at) {
    writer_.add(note_of(kind::gap, at), reason);
    ++gaps_;
}

void subscriber_recorder::back(bool session_present, instant at) {
    traffic_note note = note_of(kind::gap_ended, at);
    note.flag = session_present;
    writer_.add(note);
}

recording_writer::sums subscriber_recorder::finish(instant at) {
    newest_ = std::max(newest_, (at - begin_).count());
    return writer_.finish({.ended_at = instant{duration{newest_}}});
}

void copy_recording(const std::string& from, const std::string& to, duration ran_for) {
    std::error_code ignored;
    if (std::filesystem::exists(to, ignored)) {
        throw recording_error(to + ": there is a file already: a recording needs a new one");
    }
    {
        database source(from, database::mode::read);
        statement copying(source, "VACUUM INTO ?1");
        copying.bind(1, to).run();
    }
    database copy(to, database::mode::write);
    copy.execute("UPDATE runs SET ended_at = " + std::to_string(ran_for.count()));
}

}  // namespace fleetarium::recording
