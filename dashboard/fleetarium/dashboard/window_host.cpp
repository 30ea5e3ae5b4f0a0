#include <fleetarium/dashboard/window_host.hpp>

#include <fleetarium/dashboard/image_renderer.hpp>
#include <fleetarium/dashboard/keyboard.hpp>

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <backends/imgui_impl_glfw.h>
#include <backends/imgui_impl_opengl3.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

namespace fleetarium::dashboard {

static_assert(static_cast<int>(key::space) == GLFW_KEY_SPACE);
static_assert(static_cast<int>(key::a) == GLFW_KEY_A && static_cast<int>(key::z) == GLFW_KEY_Z);
static_assert(static_cast<int>(key::equal) == GLFW_KEY_EQUAL);
static_assert(static_cast<int>(key::escape) == GLFW_KEY_ESCAPE);
static_assert(static_cast<int>(key::end) == GLFW_KEY_END);
static_assert(static_cast<int>(key::f1) == GLFW_KEY_F1 &&
              static_cast<int>(key::f12) == GLFW_KEY_F12);
static_assert(static_cast<int>(key::keypad_enter) == GLFW_KEY_KP_ENTER);

namespace {

constexpr double focused_gap = 1.0 / 60.0;
constexpr double unfocused_gap = 1.0 / 20.0;
// A frame that waits for the display's refresh must not be a hair too late for the next one.
constexpr double slack = 0.001;
constexpr double never = std::numeric_limits<double>::infinity();
// Hover, focus and sizes that depend on content take ImGui a few frames after an input.
constexpr int frames_after_input = 3;

// The few functions of OpenGL that ImGui's backend does not call for us; found at run time, so
// nothing is linked with a library of OpenGL.
using gl_enum = unsigned int;
constexpr gl_enum gl_renderer = 0x1f01;
constexpr gl_enum gl_colour_buffer_bit = 0x4000;
constexpr gl_enum gl_rgba = 0x1908;
constexpr gl_enum gl_unsigned_byte = 0x1401;
constexpr gl_enum gl_pack_alignment = 0x0d05;
constexpr gl_enum gl_unpack_alignment = 0x0cf5;
constexpr gl_enum gl_texture_2d = 0x0de1;
constexpr gl_enum gl_texture_mag_filter = 0x2800;
constexpr gl_enum gl_texture_min_filter = 0x2801;
constexpr int gl_nearest = 0x2600;

struct gl_functions {
    void (*viewport)(int, int, int, int) = nullptr;
    void (*clear_color)(float, float, float, float) = nullptr;
    void (*clear)(gl_enum) = nullptr;
    void (*pixel_store)(gl_enum, int) = nullptr;
    void (*read_pixels)(int, int, int, int, gl_enum, gl_enum, void*) = nullptr;
    const unsigned char* (*get_string)(gl_enum) = nullptr;
    void (*gen_textures)(int, unsigned*) = nullptr;
    void (*delete_textures)(int, const unsigned*) = nullptr;
    void (*bind_texture)(gl_enum, unsigned) = nullptr;
    void (*tex_parameter)(gl_enum, gl_enum, int) = nullptr;
    void (*tex_image)(gl_enum, int, int, int, int, int, gl_enum, gl_enum, const void*) = nullptr;

    bool load() {
        return find(gen_textures, "glGenTextures") && find(delete_textures, "glDeleteTextures") &&
               find(bind_texture, "glBindTexture") && find(tex_parameter, "glTexParameteri") &&
               find(tex_image, "glTexImage2D") && find(viewport, "glViewport") &&
               find(clear_color, "glClearColor") && find(clear, "glClear") &&
               find(pixel_store, "glPixelStorei") && find(read_pixels, "glReadPixels") &&
               find(get_string, "glGetString");
    }

private:
    template <class Function>
    static bool find(Function& into, const char* name) {
        into = reinterpret_cast<Function>(glfwGetProcAddress(name));
        return into != nullptr;
    }
};

std::string glfw_says() {
    const char* words = nullptr;
    glfwGetError(&words);
    return words == nullptr ? "no reason given" : words;
}

[[noreturn]] void fail(const std::string& what) {
    throw no_window(what + " (" + glfw_says() +
                    "); the same views are on the web page: start with --http 127.0.0.1:9090 and "
                    "open http://127.0.0.1:9090 in a browser");
}

struct glfw_library {
    glfw_library() {
        if (glfwInit() == GLFW_FALSE) {
            fail("there is no display to open a window on");
        }
    }
    glfw_library(const glfw_library&) = delete;
    glfw_library& operator=(const glfw_library&) = delete;
    ~glfw_library() { glfwTerminate(); }
};

struct window_deleter {
    void operator()(GLFWwindow* window) const { glfwDestroyWindow(window); }
};

}  // namespace

struct window_host::state {
    glfw_library library{};
    std::unique_ptr<GLFWwindow, window_deleter> window{};
    gl_functions gl{};
    std::unique_ptr<ui_context> context{};
    bool glfw_backend = false;
    bool gl_backend = false;
    theme_kind theme = theme_kind::dark;
    float zoom = 1;
    std::atomic<bool> woken{false};
    int frames_left = frames_after_input;
    double last_start = -1;
    double due = 0;
    frame_times times{};
    std::function<void(const image&)> take{};
    bool in_memory = false;
    image drawn{};
    unsigned texture = 0;

    ~state() {
        if (texture != 0) {
            gl.delete_textures(1, &texture);
        }
        if (gl_backend) {
            ImGui_ImplOpenGL3_Shutdown();
        }
        if (glfw_backend) {
            ImGui_ImplGlfw_Shutdown();
        }
        context.reset();
    }

    static state& of(GLFWwindow* window) {
        return *static_cast<state*>(glfwGetWindowUserPointer(window));
    }

    void changed() { frames_left = frames_after_input; }

    void listen() {
        // ImGui's backend calls these before its own.
        GLFWwindow* const to = window.get();
        glfwSetWindowUserPointer(to, this);
        glfwSetKeyCallback(to, [](GLFWwindow* w, int, int, int, int) { of(w).changed(); });
        glfwSetCharCallback(to, [](GLFWwindow* w, unsigned) { of(w).changed(); });
        glfwSetMouseButtonCallback(to, [](GLFWwindow* w, int, int, int) { of(w).changed(); });
        glfwSetScrollCallback(to, [](GLFWwindow* w, double, double) { of(w).changed(); });
        glfwSetCursorPosCallback(to, [](GLFWwindow* w, double, double) { of(w).changed(); });
        glfwSetCursorEnterCallback(to, [](GLFWwindow* w, int) { of(w).changed(); });
        glfwSetWindowFocusCallback(to, [](GLFWwindow* w, int) { of(w).changed(); });
        glfwSetWindowIconifyCallback(to, [](GLFWwindow* w, int) { of(w).changed(); });
        glfwSetFramebufferSizeCallback(to, [](GLFWwindow* w, int, int) { of(w).changed(); });
        glfwSetWindowRefreshCallback(to, [](GLFWwindow* w) { of(w).changed(); });
        glfwSetWindowContentScaleCallback(to, [](GLFWwindow* w, float, float) { of(w).changed(); });
    }

    appearance looks_now() const {
        float x = 1;
        float y = 1;
        glfwGetWindowContentScale(window.get(), &x, &y);
        int points = 0;
        int pixels = 0;
        glfwGetWindowSize(window.get(), &points, nullptr);
        glfwGetFramebufferSize(window.get(), &pixels, nullptr);
        const float density =
            points > 0 && pixels > 0 ? static_cast<float>(pixels) / static_cast<float>(points) : 1;
        return {theme, x / density * zoom, density};
    }

    double gap() const {
        const bool focus = glfwGetWindowAttrib(window.get(), GLFW_FOCUSED) != 0;
        return (focus ? focused_gap : unfocused_gap) - slack;
    }

    /// When the next frame is to be drawn.
    double next_start() const {
        if (glfwGetWindowAttrib(window.get(), GLFW_ICONIFIED) != 0) {
            return last_start + 0.5;  // nothing is seen, but whether it goes on is asked
        }
        const double soonest = last_start + gap();
        return frames_left > 0 || woken.load() || take ? soonest : std::max(soonest, due);
    }

    void frame(const std::function<void()>& draw) {
        const double start = glfwGetTime();
        last_start = start;
        due = never;
        woken.store(false);
        frames_left = std::max(0, frames_left - 1);
        const appearance wanted = looks_now();
        if (wanted != context->looks() && context->set_looks(wanted)) {
            ImGui_ImplOpenGL3_DestroyFontsTexture();
            ImGui_ImplOpenGL3_CreateFontsTexture();
        }
        ImGui_ImplOpenGL3_NewFrame();
        ImGui_ImplGlfw_NewFrame();
        ImGui::NewFrame();
        try {
            draw();
        } catch (...) {
            ImGui::EndFrame();
            throw;
        }
        ImGui::Render();
        if (ImGui::GetIO().WantTextInput) {
            due = std::min(due, start + 0.25);  // the cursor blinks
        }
        int width = 0;
        int height = 0;
        glfwGetFramebufferSize(window.get(), &width, &height);
        const ImVec4 background = ImGui::ColorConvertU32ToFloat4(colours().window);
        gl.viewport(0, 0, width, height);
        gl.clear_color(background.x, background.y, background.z, 1);
        gl.clear(gl_colour_buffer_bit);
        if (in_memory) {
            show_from_memory(*ImGui::GetDrawData());
        } else {
            ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
        }
        if (take) {
            const auto taker = std::exchange(take, nullptr);
            taker(read_back(width, height));
        }
        glfwSwapBuffers(window.get());
        times.last = glfwGetTime() - start;
        times.sum += times.last;
        if (++times.frames > 10) {
            times.worst = std::max(times.worst, times.last);
        }
    }

    /// One texture over all of the window.
    void show_from_memory(const ImDrawData& from) {
        render(from, colours().window, drawn);
        if (texture == 0) {
            gl.gen_textures(1, &texture);
        }
        gl.bind_texture(gl_texture_2d, texture);
        gl.tex_parameter(gl_texture_2d, gl_texture_min_filter, gl_nearest);
        gl.tex_parameter(gl_texture_2d, gl_texture_mag_filter, gl_nearest);
        gl.pixel_store(gl_unpack_alignment, 4);
        gl.tex_image(gl_texture_2d, 0, static_cast<int>(gl_rgba), drawn.width, drawn.height, 0,
                     gl_rgba, gl_unsigned_byte, drawn.pixels.data());
        ImDrawList list(ImGui::GetDrawListSharedData());
        list._ResetForNewFrame();
        list.PushClipRect({0, 0}, from.DisplaySize);
        list.AddImage(reinterpret_cast<ImTextureID>(static_cast<std::uintptr_t>(texture)), {0, 0},
                      from.DisplaySize);
        ImDrawList* lists = &list;
        ImDrawData frame;
        frame.Valid = true;
        frame.CmdLists = &lists;
        frame.CmdListsCount = 1;
        frame.TotalIdxCount = list.IdxBuffer.Size;
        frame.TotalVtxCount = list.VtxBuffer.Size;
        frame.DisplaySize = from.DisplaySize;
        frame.FramebufferScale = from.FramebufferScale;
        ImGui_ImplOpenGL3_RenderDrawData(&frame);
    }

    image read_back(int width, int height) const {
        image upside_down(width, height);
        gl.pixel_store(gl_pack_alignment, 4);
        gl.read_pixels(0, 0, width, height, gl_rgba, gl_unsigned_byte, upside_down.pixels.data());
        image picture(width, height);
        const auto wide = static_cast<std::ptrdiff_t>(width);
        for (std::ptrdiff_t y = 0; y < height; ++y) {
            const auto from = upside_down.pixels.begin() + (height - 1 - y) * wide;
            std::transform(from, from + wide, picture.pixels.begin() + y * wide,
                           [](std::uint32_t pixel) { return pixel | 0xff00'0000; });
        }
        return picture;
    }
};

window_host::window_host(const window_options& options) : state_(std::make_unique<state>()) {
    state& s = *state_;
    s.theme = options.theme;
    set_zoom(options.zoom);
    glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
    glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 0);
    glfwWindowHint(GLFW_SCALE_TO_MONITOR, GLFW_TRUE);
    glfwWindowHint(GLFW_VISIBLE, options.visible ? GLFW_TRUE : GLFW_FALSE);
    s.window.reset(glfwCreateWindow(std::max(320, options.width), std::max(200, options.height),
                                    options.title.c_str(), nullptr, nullptr));
    if (!s.window) {
        fail("this display has no OpenGL 3 for a window");
    }
    glfwMakeContextCurrent(s.window.get());
    glfwSwapInterval(1);
    if (!s.gl.load()) {
        fail("this display's OpenGL lacks functions that every version has");
    }
    s.context = std::make_unique<ui_context>(s.looks_now());
    s.listen();
    s.glfw_backend = ImGui_ImplGlfw_InitForOpenGL(s.window.get(), true);
    s.gl_backend = ImGui_ImplOpenGL3_Init("#version 130");
    if (!s.glfw_backend || !s.gl_backend) {
        fail("OpenGL 3 does not start on this display");
    }
    const std::string name = renderer();
    const bool software = name.find("llvmpipe") != name.npos ||
                          name.find("softpipe") != name.npos || name.find("SWR") != name.npos ||
                          name.find("Software Rasterizer") != name.npos;
    s.in_memory =
        options.by == drawing::in_memory || (options.by == drawing::automatic && software);
}

window_host::~window_host() = default;

void window_host::run(const std::function<void()>& draw) {
    state& s = *state_;
    while (glfwWindowShouldClose(s.window.get()) == 0) {
        const double wait = s.next_start() - glfwGetTime();
        if (wait > 0) {
            // Waking now and then costs nothing and forgives a lost event.
            glfwWaitEventsTimeout(std::min(wait, 1.0));
        } else {
            glfwPollEvents();
        }
        if (glfwWindowShouldClose(s.window.get()) == 0 && glfwGetTime() >= s.next_start()) {
            s.frame(draw);
        }
    }
}

void window_host::redraw_within(double seconds) {
    state_->due = std::min(state_->due, state_->last_start + std::max(0.0, seconds));
}

void window_host::wake() noexcept {
    if (!state_->woken.exchange(true)) {
        glfwPostEmptyEvent();
    }
}

void window_host::close() {
    glfwSetWindowShouldClose(state_->window.get(), GLFW_TRUE);
    glfwPostEmptyEvent();
}

const appearance& window_host::looks() const { return state_->context->looks(); }

void window_host::set_theme(theme_kind theme) {
    if (state_->theme != theme) {
        state_->theme = theme;
        state_->changed();
    }
}

void window_host::set_zoom(float zoom) {
    const float wanted = std::clamp(zoom, 0.5F, 3.0F);
    if (state_->zoom != wanted) {
        state_->zoom = wanted;
        state_->changed();
    }
}

void window_host::capture(std::function<void(const image&)> take) {
    state_->take = std::move(take);
}

drawing window_host::drawn_by() const {
    return state_->in_memory ? drawing::in_memory : drawing::by_opengl;
}

bool window_host::has_focus() const {
    return glfwGetWindowAttrib(state_->window.get(), GLFW_FOCUSED) != 0;
}

const frame_times& window_host::times() const { return state_->times; }

std::string window_host::renderer() const {
    const auto* words = reinterpret_cast<const char*>(state_->gl.get_string(gl_renderer));
    return words == nullptr ? std::string() : words;
}

}  // namespace fleetarium::dashboard
