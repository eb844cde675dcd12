// Testbench of {{ top }}: {{ frames }} frame{% if frames != 1 %}s{% endif %} from {{ data }}/, compared with the expected outputs.
// Plusargs: +data=DIR  +stalls=SEED (not 0)  +idle_limit=CYCLES  +vcd=FILE
`timescale 1ns / 1ps

module tb_{{ top }};
    localparam int FRAMES = {{ frames }};

    logic aclk = 1'b0;
    logic aresetn = 1'b0;
    always #5 aclk = ~aclk;

    // Random numbers that are the same in every simulator: xorshift (Marsaglia, Journal of Statistical Software 8(14), 2003).
    function automatic logic [31:0] shuffle(input logic [31:0] state);
        logic [31:0] x;
        x = state;
        x = x ^ (x << 13);
        x = x ^ (x >> 17);
        x = x ^ (x << 5);
        return x;
    endfunction

    logic [31:0] stall_seed;
    int          idle_limit;
    string       data_dir, vcd_file;

    // Cycles since reset was released.
    int cycle;
    always @(posedge aclk) cycle <= aresetn ? cycle + 1 : 0;

    // Output beats handed over and mismatches, over all ports; all inputs taken; cycles without a handshake.
    wire all_done;
    wire any_move;
    int  idle;
{% for port in inputs %}
    // Input {{ port.prefix }}: {{ port.elements_per_beat }} x {{ port.element_bits }} bits{% if port.signed %} signed{% endif %} a beat, {{ port.beats_per_frame }} beat{% if port.beats_per_frame != 1 %}s{% endif %} a frame.
    localparam int {{ port.prefix }}_BEATS = {{ port.beats_per_frame }};
    logic [{{ port.tdata_bits() - 1 }}:0] {{ port.prefix }}_mem [0:FRAMES*{{ port.prefix }}_BEATS-1];
    logic        {{ port.prefix }}_offer;
    logic [31:0] {{ port.prefix }}_random;
    logic [3:0]  {{ port.prefix }}_stalled;
    int          {{ port.prefix }}_sent;
    int          {{ port.prefix }}_index;
    int          {{ port.prefix }}_first;
    wire         {{ port.prefix }}_tready;
    wire         {{ port.prefix }}_tvalid = {{ port.prefix }}_offer && {{ port.prefix }}_sent < FRAMES * {{ port.prefix }}_BEATS;
    wire         {{ port.prefix }}_tlast = {{ port.prefix }}_index == {{ port.prefix }}_BEATS - 1;
    wire [{{ port.tdata_bits() - 1 }}:0] {{ port.prefix }}_tdata = {{ port.prefix }}_tvalid ? {{ port.prefix }}_mem[{{ port.prefix }}_sent] : '0;
    wire         {{ port.prefix }}_moves = {{ port.prefix }}_tvalid && {{ port.prefix }}_tready;

    always @(posedge aclk) begin
        if (!aresetn) begin
            {{ port.prefix }}_offer   <= stall_seed == 0;
            {{ port.prefix }}_random  <= stall_seed ^ 32'd{{ (loop.index0 + 1) * 40503 }};
            {{ port.prefix }}_stalled <= 4'd8;
            {{ port.prefix }}_sent    <= 0;
            {{ port.prefix }}_index   <= 0;
            {{ port.prefix }}_first   <= -1;
        end else begin
            {{ port.prefix }}_random <= shuffle({{ port.prefix }}_random);
            if (cycle % 64 == 0) {{ port.prefix }}_stalled <= {{ port.prefix }}_random[11:8];
            if ({{ port.prefix }}_moves) begin
                if ({{ port.prefix }}_first < 0) {{ port.prefix }}_first <= cycle;
                {{ port.prefix }}_sent  <= {{ port.prefix }}_sent + 1;
                {{ port.prefix }}_index <= {{ port.prefix }}_tlast ? 0 : {{ port.prefix }}_index + 1;
            end
            // A beat once offered stays until it is taken.
            if ({{ port.prefix }}_moves || !{{ port.prefix }}_tvalid)
                {{ port.prefix }}_offer <= stall_seed == 0 || {{ port.prefix }}_random[3:0] >= {{ port.prefix }}_stalled;
        end
    end
{% endfor %}
{%- for port in outputs %}
    // Output {{ port.prefix }}: {{ port.elements_per_beat }} x {{ port.element_bits }} bits{% if port.signed %} signed{% endif %} a beat, {{ port.beats_per_frame }} beat{% if port.beats_per_frame != 1 %}s{% endif %} a frame.
    localparam int {{ port.prefix }}_BEATS = {{ port.beats_per_frame }};
    logic [{{ port.tdata_bits() - 1 }}:0] {{ port.prefix }}_mem [0:FRAMES*{{ port.prefix }}_BEATS-1];
    logic        {{ port.prefix }}_tready;
    logic [31:0] {{ port.prefix }}_random;
    logic [3:0]  {{ port.prefix }}_stalled;
    int          {{ port.prefix }}_got;
    int          {{ port.prefix }}_index;
    int          {{ port.prefix }}_errors;
    int          {{ port.prefix }}_frame_one;
    int          {{ port.prefix }}_frame_end;
    int          {{ port.prefix }}_interval;
    wire         {{ port.prefix }}_tvalid;
    wire         {{ port.prefix }}_tlast;
    wire [{{ port.tdata_bits() - 1 }}:0] {{ port.prefix }}_tdata;
    wire         {{ port.prefix }}_moves = {{ port.prefix }}_tvalid && {{ port.prefix }}_tready;
    wire         {{ port.prefix }}_ends = {{ port.prefix }}_index == {{ port.prefix }}_BEATS - 1;

    always @(posedge aclk) begin
        if (!aresetn) begin
            {{ port.prefix }}_tready    <= stall_seed == 0;
            {{ port.prefix }}_random    <= stall_seed ^ 32'd{{ (inputs.len() + loop.index0 + 1) * 40503 }};
            {{ port.prefix }}_stalled   <= 4'd8;
            {{ port.prefix }}_got       <= 0;
            {{ port.prefix }}_index     <= 0;
            {{ port.prefix }}_errors    <= 0;
            {{ port.prefix }}_frame_one <= -1;
            {{ port.prefix }}_frame_end <= -1;
            {{ port.prefix }}_interval  <= 0;
        end else begin
            {{ port.prefix }}_random <= shuffle({{ port.prefix }}_random);
            if (cycle % 64 == 0) {{ port.prefix }}_stalled <= {{ port.prefix }}_random[11:8];
            {{ port.prefix }}_tready <= stall_seed == 0 || {{ port.prefix }}_random[3:0] >= {{ port.prefix }}_stalled;
            if ({{ port.prefix }}_moves) begin
                {{ port.prefix }}_got   <= {{ port.prefix }}_got + 1;
                {{ port.prefix }}_index <= {{ port.prefix }}_ends ? 0 : {{ port.prefix }}_index + 1;
                if ({{ port.prefix }}_got >= FRAMES * {{ port.prefix }}_BEATS) begin
                    {{ port.prefix }}_errors <= {{ port.prefix }}_errors + 1;
                    $display("{{ port.prefix }}: a beat too many at cycle %0d", cycle);
                end else if ({{ port.prefix }}_tdata !== {{ port.prefix }}_mem[{{ port.prefix }}_got] || {{ port.prefix }}_tlast !== {{ port.prefix }}_ends) begin
                    {{ port.prefix }}_errors <= {{ port.prefix }}_errors + 1;
                    if ({{ port.prefix }}_errors < 10)
                        $display("{{ port.prefix }}: beat %0d is %h (tlast %b), expected %h (tlast %b), at cycle %0d", {{ port.prefix }}_got,
                                 {{ port.prefix }}_tdata, {{ port.prefix }}_tlast, {{ port.prefix }}_mem[{{ port.prefix }}_got], {{ port.prefix }}_ends, cycle);
                end
                if ({{ port.prefix }}_ends) begin
                    if ({{ port.prefix }}_frame_one < 0) {{ port.prefix }}_frame_one <= cycle;
                    else {{ port.prefix }}_interval <= cycle - {{ port.prefix }}_frame_end;
                    {{ port.prefix }}_frame_end <= cycle;
                end
            end
        end
    end
{% endfor %}
    {{ top }} dut (
        .aclk(aclk),
        .aresetn(aresetn){% for port in inputs %},
        .{{ port.prefix }}_tdata({{ port.prefix }}_tdata),
        .{{ port.prefix }}_tvalid({{ port.prefix }}_tvalid),
        .{{ port.prefix }}_tready({{ port.prefix }}_tready),
        .{{ port.prefix }}_tlast({{ port.prefix }}_tlast){% endfor %}{% for port in outputs %},
        .{{ port.prefix }}_tdata({{ port.prefix }}_tdata),
        .{{ port.prefix }}_tvalid({{ port.prefix }}_tvalid),
        .{{ port.prefix }}_tready({{ port.prefix }}_tready),
        .{{ port.prefix }}_tlast({{ port.prefix }}_tlast){% endfor %}
    );

    assign all_done = 1'b1{% for port in inputs %}
        && {{ port.prefix }}_sent == FRAMES * {{ port.prefix }}_BEATS{% endfor %}{% for port in outputs %}
        && {{ port.prefix }}_got >= FRAMES * {{ port.prefix }}_BEATS{% endfor %};
    assign any_move = 1'b0{% for port in inputs %} || {{ port.prefix }}_moves{% endfor %}{% for port in outputs %} || {{ port.prefix }}_moves{% endfor %};

    int errors, first_in, first_out, interval, last_out;

    initial begin
        if (!$value$plusargs("data=%s", data_dir)) data_dir = "{{ data }}";
        if (!$value$plusargs("stalls=%d", stall_seed)) stall_seed = 32'd0;
        if (!$value$plusargs("idle_limit=%d", idle_limit)) idle_limit = 1000000;
        if ($value$plusargs("vcd=%s", vcd_file)) begin
            $dumpfile(vcd_file);
            $dumpvars(0, tb_{{ top }});
        end
{%- for port in inputs %}
        $readmemh({data_dir, "/{{ port.prefix }}.hex"}, {{ port.prefix }}_mem);
{%- endfor %}
{%- for port in outputs %}
        $readmemh({data_dir, "/{{ port.prefix }}.hex"}, {{ port.prefix }}_mem);
{%- endfor %}
        repeat (16) @(posedge aclk);
        aresetn <= 1'b1;
        idle = 0;
        while (!all_done && idle < idle_limit) begin
            @(posedge aclk);
            idle = any_move ? 0 : idle + 1;
        end
        // Beats too many show within a while.
        repeat (64) @(posedge aclk);
        errors = 0{% for port in outputs %} + {{ port.prefix }}_errors{% endfor %};
        if (!all_done) begin
            $display("no handshake for %0d cycles; beats:{% for port in inputs %} {{ port.prefix }} %0d{% endfor %}{% for port in outputs %} {{ port.prefix }} %0d{% endfor %}", idle_limit{% for port in inputs %}, {{ port.prefix }}_sent{% endfor %}{% for port in outputs %}, {{ port.prefix }}_got{% endfor %});
            $display("FAIL {{ top }}");
            $fatal(1, "deadlock");
        end else if (errors != 0) begin
            $display("FAIL {{ top }}: %0d beats differ", errors);
            $fatal(1, "mismatch");
        end else begin
            first_in = {{ inputs[0].prefix }}_first;
            first_out = 0;
            last_out = 0;
            interval = 0;
{%- for port in inputs %}
            if ({{ port.prefix }}_first < first_in) first_in = {{ port.prefix }}_first;
{%- endfor %}
{%- for port in outputs %}
            if ({{ port.prefix }}_frame_one > first_out) first_out = {{ port.prefix }}_frame_one;
            if ({{ port.prefix }}_frame_end > last_out) last_out = {{ port.prefix }}_frame_end;
            if ({{ port.prefix }}_interval > interval) interval = {{ port.prefix }}_interval;
{%- endfor %}
            $display("PASS {{ top }}: frames %0d, latency %0d cycles, interval %0d cycles, total %0d cycles", FRAMES, first_out - first_in, interval, last_out + 1);
            $finish;
        end
    end
endmodule
