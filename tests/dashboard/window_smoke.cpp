// Opens the real window: started under Xvfb by tests/CMakeLists.txt, since it needs a display.
// `window_smoke` checks what is on the screen, `window_smoke --no-display` what is said without.

#include <fleetarium/dashboard/image_renderer.hpp>
#include <fleetarium/dashboard/window_host.hpp>

#include <atomic>
#include <iostream>
#include <string_view>
#include <thread>

#include <cstdlib>

using namespace fleetarium::dashboard;

namespace {

int failures = 0;

void check(bool holds, std::string_view what) {
    std::cout << (holds ? "ok: " : "FAILED: ") << what << '\n';
    failures += holds ? 0 : 1;
}

void draw_something() {
    ImGui::SetNextWindowPos({20, 20});
    ImGui::SetNextWindowSize({em(30), em(12)});
    ImGui::Begin("a window", nullptr, ImGuiWindowFlags_NoResize);
    ImGui::TextUnformatted("connected ● 12,345  offline ○ 67");
    ImGui::Button("pause");
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    list.AddCircleFilled({at.x + 60, at.y + 60}, 40, colours().fill(hue::green));
    list.AddLine({at.x, at.y}, {at.x + 300, at.y + 90}, colours().ink(hue::orange), 2);
    ImGui::End();
}

/// The share of channels that differ by more than rounding and soft edges explain.
double difference(const image& a, const image& b) {
    if (a.width != b.width || a.height != b.height) {
        return 1;
    }
    std::size_t apart = 0;
    for (std::size_t i = 0; i < a.pixels.size(); ++i) {
        for (int shift = 0; shift < 24; shift += 8) {
            const auto channel = [&](const image& of) {
                return static_cast<int>(of.pixels[i] >> shift & 0xff);
            };
            apart += std::abs(channel(a) - channel(b)) > 8 ? 1U : 0U;
        }
    }
    return static_cast<double>(apart) / static_cast<double>(a.pixels.size() * 3);
}

int without_display() {
    try {
        const window_host host;
    } catch (const no_window& failure) {
        const std::string_view words = failure.what();
        std::cout << words << '\n';
        check(words.find("no display") != words.npos, "it says that there is no display");
        check(words.find("--http") != words.npos, "it names the web page");
        return failures == 0 ? 0 : 1;
    }
    check(false, "without a display there is no window");
    return 1;
}

int with_display(drawing by) {
    window_host host({.title = "smoke", .width = 800, .height = 450, .by = by});
    std::cout << host.renderer() << (by == drawing::in_memory ? ", in memory\n" : ", by OpenGL\n");
    check(host.drawn_by() == by, "it is drawn as asked for");
    std::thread waker;
    int frames = 0;
    int taken = 0;
    std::atomic<bool> woken{false};
    image first;
    image second;
    image drawn;
    host.run([&] {
        draw_something();
        ++frames;
        if (frames == 5) {
            host.capture([&](const image& picture) {
                first = picture;
                render(*ImGui::GetDrawData(), colours().window, drawn);
                ++taken;
            });
        }
        if (frames < 8) {
            host.redraw_within(0);
        }
        if (frames == 8) {
            // Nothing is due: only the other thread brings the next frame.
            waker = std::thread([&] {
                woken = true;
                host.wake();
            });
        }
        if (woken && frames == 9) {
            host.set_theme(theme_kind::light);
        }
        if (frames == 12) {
            host.capture([&](const image& picture) {
                second = picture;
                ++taken;
                host.close();
            });
        }
        if (frames > 8) {
            host.redraw_within(0);
        }
    });
    waker.join();
    check(taken == 2, "two frames were read back");
    check(first.width == 800 && first.height == 450, "of the window's size");
    check(difference(first, drawn) < 0.002, "the picture without a display is the same");
    std::cout << "    " << difference(first, drawn) * 100 << " % of the channels differ\n";
    check(woken, "another thread woke it");
    check(second.at(799, 449) == palette_of(theme_kind::light).window, "the theme was changed");
    check(first.at(799, 449) == palette_of(theme_kind::dark).window, "it was dark before");
    check(host.times().frames >= 12, "frames were counted");
    std::cout << "    a frame took " << host.times().sum / static_cast<double>(frames) * 1e3
              << " ms\n";
    return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
    if (count > 1 && std::string_view(words[1]) == "--no-display") {
        return without_display();
    }
    return with_display(drawing::by_opengl) + with_display(drawing::in_memory) == 0 ? 0 : 1;
}
