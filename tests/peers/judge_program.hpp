#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

/// What the judges in C++ share: how judging/programs.py tells them where the broker is, and how
/// they tell what they found.
namespace fleetarium::judges {

constexpr std::chrono::seconds deadline{30};

/// The broker did what it should not.
class wrong : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

template <class Value>
std::string shown(const Value& value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

inline std::string shown(bool value) { return value ? "true" : "false"; }

inline std::string shown(const std::string& value) {
    constexpr std::size_t most = 300;
    return value.size() <= most
               ? '"' + value + '"'
               : '"' + value.substr(0, most) + "...\" of " + std::to_string(value.size());
}

template <class Value>
std::string shown(const std::vector<Value>& values) {
    std::string text;
    for (const Value& value : values) {
        text += (text.empty() ? "" : ", ") + shown(value);
    }
    return '[' + text + ']';
}

/// Throws `wrong` unless both are equal; `sent` says what was done.
template <class Value>
void expect(const std::string& sent, const Value& expected, const Value& got) {
    if (!(expected == got)) {
        throw wrong("sent:     " + sent + "\nexpected: " + shown(expected) +
                    "\ngot:      " + shown(got));
    }
}

/// A lock and a signal for what callbacks change.
class watch {
public:
    template <class Change>
    void change(Change change) {
        const std::lock_guard<std::mutex> held(mutex_);
        change();
        changed_.notify_all();
    }

    /// Waits until `ready()` is true; throws `wrong` after the deadline, with what `got()` says.
    void wait(const std::string& sent, const std::string& expected,
              const std::function<bool()>& ready, const std::function<std::string()>& got,
              std::chrono::seconds limit = deadline) {
        std::unique_lock<std::mutex> held(mutex_);
        if (!changed_.wait_for(held, limit, ready)) {
            throw wrong("sent:     " + sent + "\nexpected: " + expected + " within " +
                        std::to_string(limit.count()) + " s\ngot:      " + got());
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
};

/// KEY=VALUE words of the command line.
class settings {
public:
    settings(int count, char** words) {
        for (int index = 1; index < count; ++index) {
            const std::string word = words[index];
            const auto equals = word.find('=');
            values_[word.substr(0, equals)] =
                equals == std::string::npos ? "" : word.substr(equals + 1);
        }
    }

    bool has(const std::string& key) const { return values_.count(key) != 0; }

    const std::string& operator[](const std::string& key) const {
        const auto found = values_.find(key);
        if (found == values_.end()) {
            throw std::runtime_error("no word " + key + "=... on the command line");
        }
        return found->second;
    }

private:
    std::map<std::string, std::string> values_;
};

/// One way to the broker in one version.
struct place {
    const settings& given;
    std::string transport;
    bool v5 = false;

    std::string version() const { return v5 ? "5.0" : "3.1.1"; }
    bool secure() const { return transport == "tls" || transport == "wss"; }
    /// The same version over TCP, for the other side of an exchange over a WebSocket: Paho has one
    /// buffer for the frames of all its connections, so a process can have one such connection.
    place other() const {
        return {given, transport == "ws" || transport == "wss" ? "tcp" : transport, v5};
    }
    std::string url() const { return given[transport]; }
    /// The same through a relay that `ask("cut TRANSPORT")` cuts.
    std::string relayed_url() const { return given["relay-" + transport]; }
    /// A name for a client id or a topic that no other place uses.
    std::string named(const std::string& name) const {
        return name + '-' + transport + '-' + (v5 ? '5' : '3');
    }
};

/// Has the driver do something, and waits until it is done.
inline void ask(const std::string& what) {
    std::cout << "please " << what << std::endl;
    std::string answer;
    if (!std::getline(std::cin, answer) || answer != "done") {
        throw std::runtime_error("the driver did not \"" + what + "\"");
    }
}

/// Runs one case and tells the driver: what went wrong in it is told, and the judge goes on.
inline void judge(const place& where, const std::string& name,
                  const std::function<void(const place&)>& story) {
    const std::string only = where.given.has("only") ? where.given["only"] : "";
    const std::string full = where.transport + ' ' + where.version() + ' ' + name;
    if (full.find(only) == std::string::npos) {
        return;
    }
    std::string problem;
    try {
        story(where);
    } catch (const std::exception& caught) {
        problem = caught.what();
    }
    std::string line = (problem.empty() ? "ok|" : "failed|") + where.transport + '|' +
                       where.version() + '|' + name;
    if (!problem.empty()) {
        line += '|';
        for (const char each : problem) {
            line += each == '\n' ? "\\n" : std::string(1, each);
        }
    }
    std::cout << line << std::endl;
}

}  // namespace fleetarium::judges
