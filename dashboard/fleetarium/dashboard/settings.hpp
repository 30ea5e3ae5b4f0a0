#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace fleetarium::dashboard {

/// What the dashboard keeps between starts: names with values, and ImGui's own notes (widths and
/// order of columns). A file of lines NAME=VALUE, then [imgui] and the notes.
///
/// A file that cannot be understood is put aside as FILE.broken, and everything is as at a first
/// start; `notice` says so. Nothing here throws because of a file.
class settings {
public:
    /// $XDG_CONFIG_HOME/fleetarium/dashboard.ini, by default in ~/.config; empty where neither is.
    static std::string default_path();

    /// An empty path: nothing is read or written.
    explicit settings(std::string path = {});

    /// What is wrong with the file, in a sentence for the user; empty if nothing is.
    const std::string& notice() const { return notice_; }

    /// The value of a name, or `otherwise` where it has none or one of another kind.
    std::string text(std::string_view name, std::string_view otherwise = {}) const;
    bool flag(std::string_view name, bool otherwise) const;
    double number(std::string_view name, double otherwise) const;

    /// Names: letters, digits, '_' and '.'; values: one line. Throws std::logic_error otherwise.
    void set(std::string_view name, std::string_view value);
    void set(std::string_view name, const char* value) { set(name, std::string_view(value)); }
    void set(std::string_view name, bool value);
    void set(std::string_view name, double value);

    const std::string& imgui_notes() const { return imgui_notes_; }
    void set_imgui_notes(std::string_view notes);

    bool changed() const { return changed_; }
    /// Writes the file, if something changed: whole or not at all. False: it cannot be written,
    /// and `notice` says why.
    bool save();

    static constexpr std::size_t bytes_max = std::size_t{1} << 20;

private:
    void read(const std::string& content);

    std::string path_;
    std::map<std::string, std::string, std::less<>> values_{};
    std::string imgui_notes_{};
    std::string notice_{};
    bool changed_ = false;
};

}  // namespace fleetarium::dashboard
