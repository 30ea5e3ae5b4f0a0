#pragma once

#include <imgui.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::dashboard {

/// Keys that write nothing, or that are held with Ctrl; numbers as GLFW has them, by which
/// ImGui 1.86 indexes what is down.
enum class key : int {
    none = 0,
    space = 32,
    minus = 45,
    zero = 48,
    equal = 61,  ///< has '+' on most keyboards
    a = 65,
    b,
    c,
    d,
    e,
    f,
    g,
    h,
    i,
    j,
    k,
    l,
    m,
    n,
    o,
    p,
    q,
    r,
    s,
    t,
    u,
    v,
    w,
    x,
    y,
    z,
    escape = 256,
    enter,
    tab,
    backspace,
    insert,
    del,
    right,
    left,
    down,
    up,
    page_up,
    page_down,
    home,
    end,
    f1 = 290,
    f2,
    f3,
    f4,
    f5,
    f6,
    f7,
    f8,
    f9,
    f10,
    f11,
    f12,
    keypad_subtract = 333,
    keypad_add,
    keypad_enter
};

/// What is pressed: a character, whatever keys write it on this keyboard ('?' needs Shift on some),
/// or a key with modifiers.
struct chord {
    char character = 0;
    key code = key::none;
    bool control = false;
    bool shift = false;

    constexpr chord() = default;
    constexpr chord(char written) : character(written) {}  // NOLINT: a character is a chord
    constexpr chord(key pressed, bool with_control = false, bool with_shift = false)  // NOLINT
        : code(pressed), control(with_control), shift(with_shift) {}

    friend bool operator==(const chord&, const chord&) = default;
};

constexpr chord ctrl(key pressed) { return {pressed, true, false}; }
constexpr chord shift(key pressed) { return {pressed, false, true}; }

/// As a person reads it: "Ctrl+F", "Space", "?".
std::string words_of(const chord& keys);

/// True in the frame in which it goes down; with `repeats` also while it is held.
bool is_pressed(const chord& keys, bool repeats = false);

/// Tells ImGui which key is which; the window's backend does the same.
void map_keys(ImGuiIO& io);

/// Something that a key does.
struct action {
    std::string id{};     ///< for buttons and tests: "pause"
    std::string group{};  ///< heading in the help: "time"
    std::string words{};  ///< what it does: "pause and go on"
    std::vector<chord> keys{};
    std::function<void()> run{};
    bool repeats = false;  ///< again and again while the key is held
};

/// Every action with its key: what handles keys and what lists them is one table.
class key_table {
public:
    /// Throws std::logic_error: the id or a key is taken, or there are no words or nothing to run.
    void add(action what);

    /// Once in each frame, before what the keys act on is drawn. Keys are a text field's while one
    /// is edited; those with Ctrl and F1 to F12 work even then. Returns how many actions ran.
    int handle();

    /// Throws std::logic_error: no such action.
    void run(std::string_view id) const;
    /// The first key of an action, for tooltips and buttons; empty where it has none.
    std::string keys_of(std::string_view id) const;

    const std::vector<action>& actions() const { return actions_; }

    /// The list of all keys over everything else, while `open`; Escape and a click outside close
    /// it.
    void draw_help(bool& open) const;

private:
    const action& find(std::string_view id) const;

    std::vector<action> actions_{};
};

}  // namespace fleetarium::dashboard
