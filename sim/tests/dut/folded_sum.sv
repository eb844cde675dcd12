// Sums a frame of 4 beats, adds a constant of a file, then computes for 3 cycles before it offers the sum; takes no input
// meanwhile. Latency 3 + 1 + 3 = 7 cycles, interval 4 + 1 + 3 = 8 cycles.
module folded_sum (
    input  logic        aclk,
    input  logic        aresetn,
    input  logic [7:0]  s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    input  logic        s_axis_tlast,
    output logic [15:0] m_axis_tdata,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic        m_axis_tlast
);
    logic [15:0] bias [0:0];
    initial $readmemh("weights/bias.mem", bias);

    logic [15:0] sum;
    logic [2:0]  step;

    // Steps 0 to 3 take a beat each, 4 to 6 compute, 7 offers the result.
    assign s_axis_tready = step < 4;
    assign m_axis_tvalid = step == 7;
    assign m_axis_tlast  = 1'b1;
    assign m_axis_tdata  = sum;

    always_ff @(posedge aclk) begin
        if (!aresetn) step <= 3'd0;
        else if (step < 4) begin
            if (s_axis_tvalid) begin
                sum  <= (step == 0 ? bias[0] : sum) + 16'($signed(s_axis_tdata));
                step <= step + 3'd1;
            end
        end else if (step < 7) step <= step + 3'd1;
        else if (m_axis_tready) step <= 3'd0;
    end

    wire unused_last = s_axis_tlast;
endmodule
